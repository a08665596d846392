using System.Diagnostics;

namespace RemoteExec.Storage;

/// <summary>The blobs of a disk, for whoever decides what may go: to look is no use here, and promises nothing.</summary>
internal sealed class PeekedBlobs(DiskBlobStore disk, ChunkLists lists) : IBlobStore
{
    /// <summary>The use that a blob's promise counts from; of one that is its chunks, that of the chunk that was used longest ago. Null is a miss.</summary>
    /// <param name="stored">Gets what of it is stored, also when not all is.</param>
    public long? LastUseMs(in Digest digest, List<Digest> stored)
    {
        if (disk.Index.LastUseMs(digest) is { } useMs)
        {
            stored.Add(digest);
            return useMs;
        }

        if (lists.PeekWhole(digest) is { } whole && disk.Index.LastUseMs(whole) is { } useOfWholeMs) return useOfWholeMs;

        long? ofChunksMs = null;
        foreach (var list in ListsOf(digest)) ofChunksMs ??= OfChunksMs(list.Chunks, stored);
        return ofChunksMs;
    }

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        List<Digest> stored = [];
        return ValueTask.FromResult<IReadOnlyList<Digest>>([.. digests.Where(digest => !digest.IsEmpty && LastUseMs(digest, stored) is null).Distinct()]);
    }

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        Debug.Assert(offset == 0, "what is looked at is looked at from its beginning");
        if (disk.Opener.Peek(digest, cancellationToken) is { } reader) return ValueTask.FromResult<IBlobReader?>(reader);

        List<Digest> stored = [];
        var whole = ListsOf(digest).FirstOrDefault(list => OfChunksMs(list.Chunks, stored) is not null);
        return ValueTask.FromResult<IBlobReader?>(whole is null ? null : new ChunkedBlobReader(this, digest, whole.Chunks, offset));
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        throw new UnreachableException("nothing is stored by looking");

    private IEnumerable<ChunkList> ListsOf(Digest digest) => lists.Peek(digest).Where(list => !list.IsOfWhole);

    private long? OfChunksMs(IReadOnlyList<Digest> chunks, List<Digest> stored)
    {
        long? oldestMs = long.MaxValue;
        foreach (var chunk in chunks)
        {
            long? useMs = disk.Index.LastUseMs(chunk);
            if (useMs is not null) stored.Add(chunk);
            oldestMs = useMs < oldestMs ? useMs : useMs is null ? null : oldestMs;
        }

        return oldestMs;
    }
}
