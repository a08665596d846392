using System.Buffers;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Reads the blobs of a store again, all their files and records, one after the other and a few bytes a second, and puts those aside that the disk
/// has altered: before a build gets them, and while another copy may still be somewhere. Nothing is promised by it.
/// </summary>
public sealed class Scrubber : IAsyncDisposable
{
    private const int PieceBytes = 256 << 10;

    // What a blob costs at least, whether it can be read or not: a page of the disk. Otherwise a store of tiny ones were read 40,000 times a second.
    private const int ItemBytesMin = 4096;

    // So many bytes of a blob that is a frame cost what reading one does, however few of the frame they are: to decompress and hash them takes as long.
    private const int BytesPerFrameByteMax = 16;

    // So many waits a second, at most: less than a file of the usual size costs a timer each.
    private const int WaitsPerSecond = 4;

    // A small store is through in minutes, and disks do not rot by the hour.
    private static readonly TimeSpan PassInterval = TimeSpan.FromDays(1);

    private readonly DiskBlobStore _store;
    private readonly long _bytesPerSecond;
    private readonly TimeProvider _time;
    private readonly CancellationTokenSource _ending = new();
    private readonly byte[] _piece = GC.AllocateUninitializedArray<byte>(PieceBytes);
    private readonly Task _running;
    private long _unpaidBytes;
    private long _itemBytes; // of the blob that is being read

    /// <param name="bytesPerSecond">None: nothing is read.</param>
    public Scrubber(DiskBlobStore store, long bytesPerSecond, TimeProvider time)
    {
        _store = store;
        _bytesPerSecond = bytesPerSecond;
        _time = time;
        _running = bytesPerSecond > 0 ? Task.Run(RunAsync) : Task.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _running;
        _ending.Dispose();
    }

    private async Task RunAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            long start = _time.GetTimestamp();
            int position = 0;
            while (!_ending.IsCancellationRequested && _store.Index.Next(ref position) is { } blob)
            {
                await ServingLoop.ServeAsync(
                    (Scrubber: this, Blob: blob), static item => item.Scrubber.CheckAsync(item.Blob),
                    static (item, failure) => System.Diagnostics.Trace.TraceWarning($"blob {item.Blob.Digest} could not be read again: {failure.Message}"));
            }

            await WaitAsync(PassInterval - _time.GetElapsedTime(start));
        }
    }

    private async ValueTask CheckAsync(StoredBlob blob)
    {
        _itemBytes = 0;
        try
        {
            if (!blob.Place.IsNone) await CheckRecordAsync(blob);
            if (blob.FrameBytes > 0) await CheckFrameAsync(blob);
            await CheckFileAsync(blob.Digest, BlobFileKinds.Executable);
            await CheckFileAsync(blob.Digest, BlobFileKinds.Data);
        }
        finally
        {
            if (_itemBytes < ItemBytesMin) await WaitForAsync(ItemBytesMin - _itemBytes);
        }
    }

    private async ValueTask CheckRecordAsync(StoredBlob blob)
    {
        byte[] lent = ArrayPool<byte>.Shared.Rent((int)blob.Digest.SizeBytes);
        try
        {
            if (_store.Opener.TryRead(blob, lent.AsSpan(0, (int)blob.Digest.SizeBytes))) await PayAsync((int)blob.Digest.SizeBytes);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(lent);
        }
    }

    private async ValueTask CheckFrameAsync(StoredBlob blob)
    {
        if (_store.Index.Find(blob.Digest)?.FrameBytes != blob.FrameBytes) return;

        using var file = _store.Files.TryOpenFrame(blob.Digest, blob.FrameBytes);
        bool? isGood = file is null ? false : await IsGoodFrameAsync(file, blob);
        if (isGood == false) _store.Bad.LoseFrame(blob.Digest, blob.FrameBytes, file);
        else if (isGood == true) _store.Index.Trust(blob.Digest);
    }

    private async ValueTask<bool?> IsGoodFrameAsync(SafeFileHandle file, StoredBlob blob)
    {
        using var frame = new FrameFile(file, blob.Digest, blob.FrameBytes, _store.Disk);
        using var hasher = DigestHasher.Create(blob.Digest.Function, blob.Digest.SizeBytes);
        for (long givenBytes = 0, readBytes = 0, paidBytes = 0; ;)
        {
            if (_ending.IsCancellationRequested) return null;
            if (frame.Read(_piece) is not { } read) return false;
            if (read == 0) return hasher.Finish() == blob.Digest;
            hasher.Append(_piece.AsSpan(0, read));
            givenBytes += read;
            long owedBytes = Math.Max(frame.ReadBytes, givenBytes / BytesPerFrameByteMax);
            await PayAsync(frame.ReadBytes - readBytes, owedBytes - paidBytes);
            (readBytes, paidBytes) = (frame.ReadBytes, owedBytes);
        }
    }

    private async ValueTask CheckFileAsync(Digest digest, BlobFileKinds kind)
    {
        // Looked up now: since the walk came to it, it may have been evicted.
        if (!_store.Index.FilesOf(digest).HasFlag(kind)) return;

        using var file = _store.Files.TryOpen(digest, isVariant: kind == BlobFileKinds.Data);
        bool? isGood = file is null ? false : await IsGoodAsync(file, digest);
        // What vanished may have been evicted, and is then no news to anybody.
        if (isGood == false) _store.Bad.LoseFile(digest, kind, file);
        else if (isGood == true && kind == BlobFileKinds.Executable && _store.Index.Find(digest) is { FrameBytes: 0 }) _store.Index.Trust(digest);
    }

    /// <summary>Null when the server ends first.</summary>
    private async ValueTask<bool?> IsGoodAsync(SafeFileHandle file, Digest digest)
    {
        using var hasher = DigestHasher.Create(digest.Function, digest.SizeBytes);
        long offset = 0;
        while (offset < digest.SizeBytes)
        {
            if (_ending.IsCancellationRequested) return null;
            int read = Read(file, offset, (int)Math.Min(PieceBytes, digest.SizeBytes - offset));
            if (read == 0) return false;
            hasher.Append(_piece.AsSpan(0, read));
            offset += read;
            await PayAsync(read);
        }

        return RandomAccess.GetLength(file) == digest.SizeBytes && hasher.Finish() == digest;
    }

    /// <summary>None when the file is shorter, or the disk does not give it back.</summary>
    private int Read(SafeFileHandle file, long offset, int bytes)
    {
        try
        {
            return _store.Disk.Read(file, _piece.AsSpan(0, bytes), offset);
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return 0;
        }
    }

    private ValueTask PayAsync(int bytes) => PayAsync(bytes, bytes);

    private ValueTask PayAsync(long bytes, long costBytes)
    {
        _store.Observer.Scrubbed(bytes);
        _itemBytes += costBytes;
        return WaitForAsync(costBytes);
    }

    private async ValueTask WaitForAsync(long bytes)
    {
        _unpaidBytes += bytes;
        if (_unpaidBytes < _bytesPerSecond / WaitsPerSecond) return;

        var pause = TimeSpan.FromSeconds((double)_unpaidBytes / _bytesPerSecond);
        _unpaidBytes = 0;
        await WaitAsync(pause);
    }

    private async ValueTask WaitAsync(TimeSpan pause)
    {
        if (pause > TimeSpan.Zero) await Task.Delay(pause, _time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }
}
