using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>Where a blob's bytes are at the moment: in a segment, in a file, or in one that is compressed.</summary>
internal sealed class BlobOpener(DiskBlobStore store) : IDisposable
{
    // A blob that is moved between being looked up and read is looked up again; nobody moves one that often.
    private const int LookupsMax = 8;

    // What is decompressed for nothing to come to an offset: a few milliseconds' worth.
    private const long SkippedBytesMax = 4 << 20;

    // Without room for a plain file, each of these costs seconds of a bulk thread again and again: some are left to uploads.
    private readonly SemaphoreSlim _skipPlaces = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Null is a miss. What takes a while before the first byte can be given out: a look at the whole, or the making of a file.</summary>
    public async ValueTask<IBlobReader?> OpenSlowlyAsync(Digest digest, long offset, bool isToEnd, CancellationToken cancellationToken)
    {
        bool isWhileRead = isToEnd && offset == 0 && store.FirstUses.IsWhileRead(digest);
        if (!isWhileRead && !await store.FirstUses.CheckAsync(digest, cancellationToken)) return null;
        // Who reads from the middle of a compressed blob, comes again for other parts of it.
        if (IsPlainWanted(digest, offset)) await store.Plain.MakeAsync(digest, cancellationToken);
        return IsPlainWanted(digest, offset)
            ? await SkipAsync(digest, offset, cancellationToken)
            : TryBegin(digest, offset, isWhileRead, cancellationToken);
    }

    public bool IsSlow(in Digest digest, long offset) => store.Index.IsUnsure(digest) || IsPlainWanted(digest, offset);

    /// <summary>Null is a miss.</summary>
    public ISynchronousBlobReader? TryBegin(in Digest digest, long offset, bool isCheckedWhileRead, CancellationToken cancellationToken) =>
        TryBeginOnce(digest, offset, isCheckedWhileRead, cancellationToken)
        // One of two files was no good, and is lost by that: then the blob lives on in the other.
        ?? (store.Index.Find(digest) is null ? null : TryBeginOnce(digest, offset, isCheckedWhileRead, cancellationToken));

    /// <summary>The same from its beginning, which is no use of it.</summary>
    public ISynchronousBlobReader? Peek(in Digest digest, CancellationToken cancellationToken) =>
        TryBeginOnce(digest, offset: 0, isCheckedWhileRead: false, cancellationToken, isUse: false);

    private ISynchronousBlobReader? TryBeginOnce(
        in Digest digest, long offset, bool isCheckedWhileRead, CancellationToken cancellationToken, bool isUse = true)
    {
        if (TryOpen(digest, isUse) is not { } opened) return null;
        if (opened.Data is { } data) return new MemoryBlobReader(data.AsMemory((int)offset));

        var plain = opened.File is { } file ? new DiskBlobReader(store, file, digest, offset, isCheckedWhileRead) : null;
        var frame = opened.Frame is { } compressed ? new FrameBlobReader(store, compressed, digest, opened.FrameBytes, plain) : null;
        bool canBegin = false;
        try
        {
            canBegin = frame is null ? plain!.CanBegin() : frame.CanBegin() && (plain is not null || frame.TrySkip(offset, cancellationToken));
            if (!canBegin) return null;
            // From an offset there is no frame to give out.
            return frame is not null && (plain is null || offset == 0) ? frame : plain;
        }
        finally
        {
            if (!canBegin) opened.Dispose();
            else if (plain is not null && offset > 0) opened.Frame?.Dispose();
        }
    }

    /// <summary>Finds a blob that the index knows and promises it, if that is a use; the size of its file is checked. Null is a miss.</summary>
    public OpenedBlob? TryOpen(in Digest digest, bool isUse = true)
    {
        for (int lookups = 0; lookups < LookupsMax && TryFind(digest, isUse, out var blob); lookups++)
        {
            if (blob.Place.IsNone)
            {
                // What is no good is lost by that, and what is left is found by the next look.
                if (TryOpenFiles(blob) is { } opened) return opened;
                continue;
            }

            byte[] data = GC.AllocateUninitializedArray<byte>((int)digest.SizeBytes);
            if (TryRead(blob, data)) return new OpenedBlob(data, null, null, 0);
        }

        return null;
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

    public void Dispose() => _skipPlaces.Dispose();

    /// <summary>Decompresses all that is before the offset, by pieces, beside calls and a few at a time.</summary>
    private async ValueTask<IBlobReader?> SkipAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        await _skipPlaces.WaitAsync(cancellationToken);
        FrameBlobReader? skipping = null;
        try
        {
            var reader = TryBegin(digest, offset: 0, isCheckedWhileRead: false, cancellationToken);
            if (reader is null) return null;
            skipping = reader as FrameBlobReader;
            if (skipping is not { IsAlone: true })
            {
                // Made plain meanwhile, or stored anew.
                skipping = null;
                await reader.DisposeAsync();
                return TryBegin(digest, offset, isCheckedWhileRead: false, cancellationToken);
            }

            for (long left = offset; left > 0;)
            {
                long bytes = Math.Min(SkippedBytesMax, left);
                if (!await store.Bulk.RunAsync(() => skipping.TrySkip(bytes, cancellationToken))) return null;
                left -= bytes;
            }

            var begun = skipping;
            skipping = null;
            return begun;
        }
        finally
        {
            _skipPlaces.Release();
            skipping?.Dispose();
        }
    }

    private bool TryFind(in Digest digest, bool isUse, out StoredBlob blob)
    {
        if (isUse) return store.Promises.TryUse(digest, out blob);
        var found = store.Index.Find(digest);
        blob = found ?? default;
        return found is not null;
    }

    private bool IsPlainWanted(in Digest digest, long offset) =>
        offset > SkippedBytesMax && store.Index.Find(digest) is { FrameBytes: > 0 } blob && !blob.Files.HasFlag(BlobFileKinds.Executable);

    private OpenedBlob? TryOpenFiles(in StoredBlob blob)
    {
        var (frame, file) = ((SafeFileHandle?)null, (SafeFileHandle?)null);
        bool isPlain = blob.FrameBytes == 0 || blob.Files.HasFlag(BlobFileKinds.Executable);
        OpenedBlob? opened = null;
        try
        {
            if (blob.FrameBytes > 0 && !IsWhole(frame = store.Files.TryOpenFrame(blob.Digest, blob.FrameBytes), blob.FrameBytes))
                store.Bad.LoseFrame(blob.Digest, blob.FrameBytes, frame);
            else if (isPlain && !IsWhole(file = store.Files.TryOpen(blob.Digest), blob.Digest.SizeBytes))
                store.Bad.LoseFile(blob.Digest, BlobFileKinds.Executable, file);
            else
                opened = new OpenedBlob(null, file, frame, blob.FrameBytes);
            return opened;
        }
        finally
        {
            if (opened is null)
            {
                file?.Dispose();
                frame?.Dispose();
            }
        }
    }

    private static bool IsWhole(SafeFileHandle? file, long sizeBytes) => file is not null && RandomAccess.GetLength(file) == sizeBytes;
}
