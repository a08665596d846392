using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>Where a blob's bytes are at the moment: in a segment, or in a file.</summary>
internal sealed class BlobOpener(DiskBlobStore store)
{
    // A blob that is moved between being looked up and read is looked up again; nobody moves one that often.
    private const int LookupsMax = 8;

    /// <summary>Null is a miss. What a loss of power may have taken is looked at first, or while it is read.</summary>
    public async ValueTask<IBlobReader?> OpenUnsureAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        bool isWhileRead = store.FirstUses.IsWhileRead(digest, offset);
        return isWhileRead || await store.FirstUses.CheckAsync(digest, cancellationToken) ? TryBegin(digest, offset, isWhileRead) : null;
    }

    public ISynchronousBlobReader? TryBegin(in Digest digest, long offset, bool isCheckedWhileRead = false)
    {
        if (!TryOpen(digest, out byte[]? data, out var file)) return null;
        if (file is null) return new MemoryBlobReader(data.AsMemory((int)offset));

        var reader = new DiskBlobReader(store, file, digest, offset, isCheckedWhileRead);
        bool canBegin = false;
        try
        {
            canBegin = reader.CanBegin();
            return canBegin ? reader : null;
        }
        finally
        {
            if (!canBegin) reader.Dispose();
        }
    }

    /// <summary>
    /// Finds a blob that the index knows and promises it: its bytes, when it is in a segment, else its file, the size checked. False is a miss.
    /// </summary>
    public bool TryOpen(in Digest digest, out byte[]? data, out SafeFileHandle? file)
    {
        (data, file) = (null, null);
        for (int lookups = 0; lookups < LookupsMax && store.Promises.TryUse(digest, out var blob); lookups++)
        {
            if (blob.Place.IsNone)
            {
                file = TryOpenFile(digest);
                return file is not null;
            }

            data = GC.AllocateUninitializedArray<byte>((int)digest.SizeBytes);
            if (TryRead(blob, data)) return true;
            data = null;
        }

        return false;
    }

    /// <summary>Reads a blob from its place. False when it is not there any more; one that the disk does not give back is a miss from now on.</summary>
    public bool TryRead(in StoredBlob blob, Span<byte> data)
    {
        var result = ReadSegment(blob.Digest, blob.Place, data);
        if (result == SegmentRead.Bad) store.Bad.LoseRecord(blob.Digest, blob.Place);
        return result == SegmentRead.Whole;
    }

    public SegmentRead ReadSegment(in Digest digest, BlobPlace place, Span<byte> data)
    {
        try
        {
            return store.Segments.Read(digest, place, data);
        }
        catch (IOException refused)
        {
            // Too little memory or too many files are no fault of the blob, which others will read.
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", store.Files.Root);
        }
    }

    private SafeFileHandle? TryOpenFile(in Digest digest)
    {
        var file = store.Files.TryOpen(digest);
        if (file is not null && RandomAccess.GetLength(file) == digest.SizeBytes) return file;

        file?.Dispose();
        store.Bad.Quarantine(digest);
        return null;
    }
}
