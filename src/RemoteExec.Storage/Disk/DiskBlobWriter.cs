using System.Diagnostics;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>One upload to disk: a reservation, a temp file, a running check, and at the end a place in a group commit.</summary>
internal sealed class DiskBlobWriter(DiskBlobStore store, Digest digest) : IBlobWriter
{
    // Below, starting a second thread costs more than hashing the piece.
    private const int ParallelBytesMin = 128 << 10;

    // The disk works while bytes still come, so the final flush finds little left to do.
    private const long WritebackBytes = 8 << 20;

    // Ahead of smaller files the reservation is no use: ext4 allocates late, and asking costs a journal entry.
    private const long PreallocateBytesMin = 4 << 20;

    private readonly DigestCheck _check = new(digest);
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
        if (data.IsEmpty) return ValueTask.CompletedTask;

        long offset = _check.CountedBytes;
        _check.Count(data.Length);
        if (AlreadyPresent) return ValueTask.CompletedTask;

        var file = _file ??= CreateTemp();
        if (data.Length >= ParallelBytesMin) return AppendLargeAsync(file, data, offset);

        _check.Hash(data.Span);
        Write(file, data.Span, offset);
        return ValueTask.CompletedTask;
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (AlreadyPresent) return;

        _check.Finish();
        Debug.Assert(_file is not null, "only the empty blob has no bytes, and it is not written");

        store.Protect(_file);
        var pending = new PendingCommit(digest, _file, _tempName, IsFlushed: await store.FlushAheadAsync(_file, digest.SizeBytes));
        // From here on the outcome belongs to the group: a cancelled caller must not delete a file that is being named.
        var result = await store.Commits.CommitAsync(pending);
        AlreadyPresent = true;
        _isCommitted = result == PublishResult.Published;
        StorageMetrics.Requests.Add(
            1, StorageMetrics.Op("write"), StorageMetrics.Result(_isCommitted ? "stored" : "present"), StorageMetrics.Tier(DiskBlobStore.TierName));
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
            store.Index.Release(digest.SizeBytes);
        }

        return ValueTask.CompletedTask;
    }

    private SafeFileHandle CreateTemp()
    {
        var file = store.Files.CreateTemp(out _tempName);
        if (digest.SizeBytes < PreallocateBytesMin) return file;

        _file = file; // so that a failure below is cleaned up
        int errno = Posix.Preallocate(file, digest.SizeBytes);
        return errno == 0 ? file : throw StorageErrors.FromErrno(errno, "reserving room", store.Files.Root);
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
            throw StorageErrors.FromErrno(failed.HResult, "writing a blob", store.Files.Root);
        }

        long end = offset + data.Length;
        if (end - _writebackStart < WritebackBytes) return;

        Posix.StartWriteback(file, _writebackStart, end - _writebackStart);
        _writebackStart = end;
    }
}
