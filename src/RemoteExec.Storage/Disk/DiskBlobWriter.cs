using System.Diagnostics;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>One upload to disk: a reservation, a temp file, a running check, and at the end a place in a group commit.</summary>
/// <remarks>
/// The reservation follows the bytes and not the claim of the digest (TRUST 4.1): a few thousand uploads that claim a gigabyte
/// each and send one byte would otherwise evict everything, and refuse everybody until they expire.
/// </remarks>
internal sealed class DiskBlobWriter(DiskBlobStore store, Digest digest) : BlobWriter(digest)
{
    // Below, starting a second thread costs more than hashing the piece.
    private const int ParallelBytesMin = 128 << 10;

    // The disk works while bytes still come, so the final flush finds little left to do.
    private const long WritebackBytes = 8 << 20;

    // Ahead of smaller files the reservation is no use: ext4 allocates late, and asking costs a journal entry.
    private const long PreallocateBytesMin = 4 << 20;

    // What an upload has set aside before its first byte; after that, at most twice what has come.
    private const long FirstReservationBytes = 256 << 10;

    // A blob is compressed when its beginning becomes smaller than four fifths, and stays so if the whole has.
    private const int SampleBytes = 64 << 10;

    private readonly DigestCheck _check = new(digest);
    private long _reservedBytes;
    private SafeFileHandle? _file;
    private string? _tempName;
    private FrameSink? _frame; // what is written is compressed
    private long _writebackStart;
    private bool _isPresent;
    private bool _isCommitted;
    private bool _isDisposed;

    public override bool AlreadyPresent => _isPresent;

    public override ValueTask DisposeAsync()
    {
        if (_isDisposed) return ValueTask.CompletedTask;
        _isDisposed = true;

        _check.Dispose();
        GiveUp();
        return ValueTask.CompletedTask;
    }

    protected override ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        Debug.Assert(!_isCommitted && !_isDisposed);
        // Somebody else may have stored the blob meanwhile: then neither the client nor the disk need to go on.
        if (_file is not null && store.Promises.TryPromise(Digest))
        {
            store.Observer.FoundPresent();
            _isPresent = true;
            GiveUp();
            return ValueTask.CompletedTask;
        }

        MakeRoom(WrittenBytes + data.Length);
        var file = _file ??= Create(data.Span);
        if (data.Length >= ParallelBytesMin) return TakeLargeAsync(file, data, WrittenBytes);

        _check.Hash(data.Span);
        Write(file, data.Span, WrittenBytes);
        return ValueTask.CompletedTask;
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        _check.Finish();
        Debug.Assert(_file is not null, "only the empty blob has no bytes, and it is not written");

        long frameBytes = _frame is null ? 0 : await FinishFrameAsync(_frame);
        store.Protect(_file);
        long fileBytes = frameBytes > 0 ? frameBytes : Digest.SizeBytes;
        var pending = new PendingCommit(Digest, _file, _tempName, IsFlushed: await store.FlushAheadAsync(_file, fileBytes), frameBytes);
        // From here on the outcome belongs to the group: a cancelled caller must not delete a file that is being named.
        var result = await store.Commits.CommitAsync(pending);
        _isPresent = true;
        _isCommitted = result == PublishResult.Published;
        if (_isCommitted)
            store.Observer.Stored(Digest.SizeBytes);
        else
            store.Observer.FoundPresent();
    }

    /// <summary>The first piece of the reservation, before any byte travels.</summary>
    internal DiskBlobWriter Begin()
    {
        store.Room.CheckFits(Digest.SizeBytes);
        MakeRoom(0);
        return this;
    }

    /// <summary>Sets room aside for the upload's first <paramref name="bytes"/>, and for as many again.</summary>
    private void MakeRoom(long bytes)
    {
        long wanted = Math.Min(Digest.SizeBytes, Math.Max(2 * bytes, FirstReservationBytes));
        // More than the digest says is the check's to refuse.
        if (bytes <= _reservedBytes && _reservedBytes > 0 || wanted <= _reservedBytes) return;

        store.Room.Reserve(wanted - _reservedBytes);
        _reservedBytes = wanted;
        if (_file is null || _frame is not null || wanted < PreallocateBytesMin) return;

        int errno = Posix.Preallocate(_file, wanted);
        if (errno != 0) throw Broken(errno, "reserving room");
    }

    /// <summary>Returns what was taken; after a commit there is nothing to return.</summary>
    private void GiveUp()
    {
        _frame?.Dispose();
        _frame = null;
        _file?.Dispose();
        _file = null;
        if (_isCommitted) return;

        if (_tempName is not null) store.Files.DeleteTemp(_tempName);
        _tempName = null;
        store.Index.Release(_reservedBytes);
        _reservedBytes = 0;
    }

    private SafeFileHandle Create(ReadOnlySpan<byte> beginning)
    {
        var file = store.Files.CreateTemp(out _tempName);
        var sample = beginning[..Math.Min(SampleBytes, beginning.Length)];
        if (store.IsCompressed(Digest.SizeBytes) && IsWorthIt(Zstd.Compress(sample).Length, sample.Length)) _frame = new FrameSink(file);
        return file;
    }

    private static bool IsWorthIt(long frameBytes, long bytes) => frameBytes < bytes / 5 * 4;

    /// <summary>The frame's size; 0 when it was not worth it, and the file is the blob.</summary>
    private async Task<long> FinishFrameAsync(FrameSink frame)
    {
        try
        {
            await store.Bulk.RunAsync(frame.Finish);
            long frameBytes = frame.WrittenBytes;
            _frame = null;
            if (IsWorthIt(frameBytes, Digest.SizeBytes)) return frameBytes;

            var inflated = store.Files.CreateTemp(out string name);
            var (file, tempName) = (_file!, _tempName!);
            (_file, _tempName) = (inflated, name);
            try
            {
                using var inflation = new FrameInflation(file, Digest, frameBytes, store.Disk, inflated);
                if (!await inflation.RunAsync(store.Bulk, CancellationToken.None))
                    throw StorageErrors.Create(StatusCode.Unavailable, $"blob {Digest} could not be read back from disk while it was being stored");
            }
            finally
            {
                // Whatever becomes of the other: nobody else knows of this one any more, and on a full disk each attempt would leave one.
                file.Dispose();
                store.Files.DeleteTemp(tempName);
            }

            return 0;
        }
        catch (IOException failed)
        {
            throw Broken(failed.HResult, "writing a blob");
        }
    }

    private RpcException Broken(int errno, string step) => store.WriteHealth.Failed(StorageErrors.FromErrno(errno, step, store.Files.Root));

    private async ValueTask TakeLargeAsync(SafeFileHandle file, ReadOnlyMemory<byte> data, long offset)
    {
        // Two cores for two jobs on the same bytes; both end before the caller gets its memory back.
        await Task.WhenAll(store.Bulk.RunAsync(() => _check.Hash(data.Span)), store.Bulk.RunAsync(() => Write(file, data.Span, offset)));
    }

    private void Write(SafeFileHandle file, ReadOnlySpan<byte> data, long offset)
    {
        try
        {
            if (_frame is null) RandomAccess.Write(file, data, offset);
            else _frame.Write(data);
        }
        catch (IOException failed)
        {
            throw Broken(failed.HResult, "writing a blob");
        }

        long end = _frame?.WrittenBytes ?? offset + data.Length;
        if (end - _writebackStart < WritebackBytes) return;

        Posix.StartWriteback(file, _writebackStart, end - _writebackStart);
        _writebackStart = end;
    }
}
