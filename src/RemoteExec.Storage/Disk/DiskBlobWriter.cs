using System.Diagnostics;
using Grpc.Core;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>One upload to disk: a reservation, a temp file, a running check, and at the end a place in a group commit.</summary>
/// <remarks>
/// The reservation follows the bytes and not the claim of the digest (TRUST 4.1): a few thousand uploads that claim a gigabyte
/// each and send one byte would otherwise evict everything, and refuse everybody until they expire.
/// </remarks>
internal sealed class DiskBlobWriter(DiskBlobStore store, Digest digest) : IBlobWriter
{
    // Below, starting a second thread costs more than hashing the piece.
    private const int ParallelBytesMin = 128 << 10;

    // The disk works while bytes still come, so the final flush finds little left to do.
    private const long WritebackBytes = 8 << 20;

    // Ahead of smaller files the reservation is no use: ext4 allocates late, and asking costs a journal entry.
    private const long PreallocateBytesMin = 4 << 20;

    // What an upload has set aside before its first byte; after that, at most twice what has come.
    private const long FirstReservationBytes = 256 << 10;

    private readonly DigestCheck _check = new(digest);
    private long _reservedBytes;
    private bool _isBroken;
    private SafeFileHandle? _file;
    private string? _tempName;
    private long _writebackStart;
    private bool _isCommitted;
    private bool _isDisposed;

    public long WrittenBytes => _check.CountedBytes;

    public bool AlreadyPresent { get; private set; }

    public ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Debug.Assert(!_isCommitted && !_isDisposed);
        CheckNotBroken();
        if (data.IsEmpty) return ValueTask.CompletedTask;

        long offset = _check.CountedBytes;
        if (!AlreadyPresent) MakeRoom(offset + data.Length);
        _check.Count(data.Length);
        if (AlreadyPresent) return ValueTask.CompletedTask;

        var file = _file ??= store.Files.CreateTemp(out _tempName);
        if (data.Length >= ParallelBytesMin) return AppendLargeAsync(file, data, offset);

        _check.Hash(data.Span);
        Write(file, data.Span, offset);
        return ValueTask.CompletedTask;
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (AlreadyPresent) return;

        CheckNotBroken();
        _check.Finish();
        Debug.Assert(_file is not null, "only the empty blob has no bytes, and it is not written");

        store.Protect(_file);
        var pending = new PendingCommit(digest, _file, _tempName, IsFlushed: await store.FlushAheadAsync(_file, digest.SizeBytes));
        // From here on the outcome belongs to the group: a cancelled caller must not delete a file that is being named.
        var result = await store.Commits.CommitAsync(pending);
        AlreadyPresent = true;
        _isCommitted = result == PublishResult.Published;
        if (_isCommitted)
            store.Observer.Stored(digest.SizeBytes);
        else
            store.Observer.FoundPresent();
    }

    public ValueTask DisposeAsync()
    {
        if (_isDisposed) return ValueTask.CompletedTask;
        _isDisposed = true;

        _check.Dispose();
        _file?.Dispose();
        if (!_isCommitted)
        {
            if (_tempName is not null) store.Files.DeleteTemp(_tempName);
            store.Index.Release(_reservedBytes);
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>The first piece of the reservation, before any byte travels.</summary>
    internal DiskBlobWriter Begin()
    {
        store.CheckFits(digest.SizeBytes);
        MakeRoom(0);
        return this;
    }

    /// <summary>Sets room aside for the upload's first <paramref name="bytes"/>, and for as many again.</summary>
    private void MakeRoom(long bytes)
    {
        long wanted = Math.Min(digest.SizeBytes, Math.Max(2 * bytes, FirstReservationBytes));
        // More than the digest says is the check's to refuse.
        if (bytes <= _reservedBytes && _reservedBytes > 0 || wanted <= _reservedBytes) return;

        store.Reserve(wanted - _reservedBytes);
        _reservedBytes = wanted;
        if (_file is null || wanted < PreallocateBytesMin) return;

        int errno = Posix.Preallocate(_file, wanted);
        if (errno != 0) throw Broken(errno, "reserving room");
    }

    private void CheckNotBroken()
    {
        if (_isBroken) throw StorageErrors.Create(StatusCode.Unavailable, $"an earlier part of {digest} could not be written; begin the upload again");
    }

    // What was counted and hashed is not all on disk: nothing that comes later may make a blob of it.
    private RpcException Broken(int errno, string step)
    {
        _isBroken = true;
        return store.WriteHealth.Failed(StorageErrors.FromErrno(errno, step, store.Files.Root));
    }

    private async ValueTask AppendLargeAsync(SafeFileHandle file, ReadOnlyMemory<byte> data, long offset)
    {
        // Two cores for two jobs on the same bytes; both end before the caller gets its memory back.
        var hashing = Task.Run(() => _check.Hash(data.Span), CancellationToken.None);
        try
        {
            Write(file, data.Span, offset);
        }
        finally
        {
            await hashing;
        }
    }

    private void Write(SafeFileHandle file, ReadOnlySpan<byte> data, long offset)
    {
        try
        {
            RandomAccess.Write(file, data, offset);
        }
        catch (IOException failed)
        {
            throw Broken(failed.HResult, "writing a blob");
        }

        long end = offset + data.Length;
        if (end - _writebackStart < WritebackBytes) return;

        Posix.StartWriteback(file, _writebackStart, end - _writebackStart);
        _writebackStart = end;
    }
}
