using System.Diagnostics;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>
/// What arrived of large blobs whose fetching has not come to its end: a file each, in which every chunk is where it will be in the blob. Whoever
/// fetches such a blob next, in this process or in one after it, fetches what lacks. The files are no blobs, and nobody gets them as such; what is in one is
/// believed by its hash only, each time. So nothing is flushed, and a loss of power costs what it took.
/// </summary>
public sealed class UnfinishedBlobs
{
    private readonly UnfinishedBlobsOptions _options;
    private readonly Lock _gate = new();
    private readonly Dictionary<Digest, UnfinishedBlob> _blobs = [];
    private readonly LinkedList<UnfinishedBlob> _idle = new(); // that nobody is fetching; first is the one that was left the longest ago
    private long _bytes;

    private UnfinishedBlobs(UnfinishedBlobsOptions options)
    {
        _options = options;
        if (!Directory.Exists(options.Directory)) return;

        foreach (var file in new DirectoryInfo(options.Directory).EnumerateFiles().OrderBy(file => file.LastWriteTimeUtc))
        {
            if (!BlobFileName.TryParse(file.Name, out var digest)) continue;
            var blob = new UnfinishedBlob(digest, file.FullName, file.Length);
            _blobs[digest] = blob;
            _idle.AddLast(blob);
            _bytes += blob.Bytes;
        }

        TryMakeRoom(0); // the limit may be another one by now
    }

    /// <summary>What the files hold.</summary>
    public long KeptBytes
    {
        get { lock (_gate) return _bytes; }
    }

    /// <summary>Finds what an earlier process left.</summary>
    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static UnfinishedBlobs Open(UnfinishedBlobsOptions options)
    {
        try
        {
            return new UnfinishedBlobs(options);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StorageDirectoryException($"The directory of unfinished blobs {options.Directory} cannot be used: {failed.Message}", failed);
        }
    }

    /// <summary>Somebody begins to fetch a blob, or goes on; until <see cref="Leave"/> nothing of it is evicted.</summary>
    internal UnfinishedBlob Join(Digest digest)
    {
        lock (_gate)
        {
            if (!_blobs.TryGetValue(digest, out var blob)) _blobs[digest] = blob = new UnfinishedBlob(digest, Path.Combine(_options.Directory, BlobFileName.Of(digest)), 0);
            if (blob.Fetchers++ == 0) _idle.Remove(blob);
            return blob;
        }
    }

    /// <param name="isOver">The blob is stored by now.</param>
    internal void Leave(UnfinishedBlob blob, bool isOver)
    {
        SafeFileHandle? file;
        lock (_gate)
        {
            blob.IsOver |= isOver;
            if (--blob.Fetchers > 0) return;

            (file, blob.File) = (blob.File, null);
            if (blob.IsOver || blob.Bytes == 0) Forget(blob);
            else _idle.AddLast(blob);
        }

        file?.Dispose(); // with the last name gone this frees all of it, which is nothing to do under a lock
    }

    /// <summary>A chunk that has arrived before; null when it has not, or is not what its name says.</summary>
    internal async ValueTask<ReadOnlyMemory<byte>?> TryReadAsync(UnfinishedBlob blob, long offset, Digest chunk, CancellationToken cancellationToken)
    {
        try
        {
            SafeFileHandle file;
            lock (_gate)
            {
                if (offset + chunk.SizeBytes > blob.EndBytes) return null;
                file = blob.File ??= OpenFile(blob);
            }

            byte[] data = GC.AllocateUninitializedArray<byte>((int)chunk.SizeBytes); // the caller's chunks have a largest size
            int filled = 0;
            for (int read; filled < data.Length && (read = await RandomAccess.ReadAsync(file, data.AsMemory(filled), offset + filled, cancellationToken)) > 0;) filled += read;
            if (filled == data.Length && Digest.Of(chunk.Function, data) == chunk)
            {
                lock (_gate) blob.Places.TryAdd(offset, 0);
                return data;
            }
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A bad sector, or no descriptor left: then it is fetched.
        }

        GiveBack(blob, offset);
        return null;
    }

    /// <summary>A chunk has arrived, and is what its name says. Should it find no room it travels again if the fetching breaks off; it is not at stake itself.</summary>
    internal async ValueTask KeepAsync(UnfinishedBlob blob, long offset, ReadOnlyMemory<byte> data)
    {
        try
        {
            if (Reserve(blob, offset, data.Length) is not { } file) return;

            await RandomAccess.WriteAsync(file, data, offset, CancellationToken.None);
            lock (_gate) blob.EndBytes = Math.Max(blob.EndBytes, offset + data.Length);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A full disk, for one: whatever room these take is of more use to the blobs themselves.
            Trace.TraceWarning($"what arrived of blob {blob.Digest} was not kept in {_options.Directory}: {failed.Message}");
            GiveBack(blob, offset);
            lock (_gate)
            {
                blob.IsOver = true;
                while (_idle.First is { } oldest) Evict(oldest.Value);
            }
        }
    }

    /// <summary>Where to write; null when there is no need, or no room.</summary>
    private SafeFileHandle? Reserve(UnfinishedBlob blob, long offset, int bytes)
    {
        lock (_gate)
        {
            if (blob.IsOver || blob.Places.ContainsKey(offset)) return null;

            long counted = offset + bytes <= blob.FoundBytes ? 0 : bytes;
            if (!TryMakeRoom(counted)) return null;

            blob.Places[offset] = counted;
            blob.Bytes += counted;
            _bytes += counted;
            return blob.File ??= OpenFile(blob);
        }
    }

    private void GiveBack(UnfinishedBlob blob, long offset)
    {
        lock (_gate)
        {
            if (!blob.Places.Remove(offset, out long counted)) return;
            blob.Bytes -= counted;
            _bytes -= counted;
        }
    }

    /// <summary>Takes away what nobody is fetching, in the order in which it was left. What is being fetched stays: of a blob larger than the limit its beginning.</summary>
    private bool TryMakeRoom(long bytes)
    {
        while (_bytes + bytes > _options.LimitBytes && _idle.First is { } oldest) Evict(oldest.Value);
        return _bytes + bytes <= _options.LimitBytes;
    }

    private void Evict(UnfinishedBlob blob)
    {
        _idle.Remove(blob);
        Forget(blob);
    }

    private void Forget(UnfinishedBlob blob)
    {
        _blobs.Remove(blob.Digest);
        _bytes -= blob.Bytes;
        try
        {
            if (File.Exists(blob.Path)) File.Delete(blob.Path);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            Trace.TraceWarning($"{blob.Path} was not removed: {failed.Message}"); // the next start finds it, and counts it
        }
    }

    private SafeFileHandle OpenFile(UnfinishedBlob blob)
    {
        Directory.CreateDirectory(_options.Directory);
        return File.OpenHandle(blob.Path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
    }
}
