namespace RemoteExec.Storage;

/// <summary>
/// Blobs that are stored as their chunks only, beside whole ones. Such a blob is here while its list and all of its chunks are; whatever
/// keeps it keeps them. So bytes that large blobs share are stored once, and their names are what SplitBlob tells.
/// </summary>
public sealed class ChunkedBlobStore(IBlobStore inner, ChunkLists lists) : IBlobStore
{
    /// <summary>Where chunks are, and whole blobs.</summary>
    internal IBlobStore Inner => inner;

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var missing = await inner.FindMissingAsync(digests, cancellationToken);
        if (missing.Count == 0 || lists.Count == 0) return missing;

        List<Digest>? still = null; // made when the first is found to be here after all
        for (int i = 0; i < missing.Count; i++)
        {
            bool isHere = await FindChunksAsync(missing[i], cancellationToken) is not null;
            if (isHere) still ??= [.. missing.Take(i)];
            else still?.Add(missing[i]);
        }

        return still ?? missing;
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        StorageErrors.CheckOffset(digest, offset);
        return await FindChunkedOnlyAsync(digest, cancellationToken) is { } list
            ? new ChunkedBlobReader(inner, digest, list.Chunks, offset)
            : await inner.OpenReadAsync(digest, offset, cancellationToken);
    }

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        await FindChunkedOnlyAsync(digest, cancellationToken) is null
            ? await inner.CreateWriterAsync(digest, cancellationToken)
            : new PresentBlobWriter(digest);

    /// <summary>The chunks of a blob, all of them there and promised; null when no list of it is known, or it is worth nothing.</summary>
    public async ValueTask<ChunkList?> FindChunksAsync(Digest blob, CancellationToken cancellationToken)
    {
        if (lists.Find(blob) is not { } list) return null;

        var lost = await inner.FindMissingAsync(list.Chunks, cancellationToken);
        if (lost.Count == 0) return list;

        lists.Remove(blob, list);
        return null;
    }

    /// <summary>Keeps a list whose chunks are there and known to be the blob.</summary>
    internal ValueTask KeepAsync(Digest blob, ChunkList list) =>
        new(Task.Run(() => lists.Add(blob, list))); // it waits for the disk

    /// <summary>The chunks of a blob that is not here as a whole. Most have no list, and cost nothing.</summary>
    internal async ValueTask<ChunkList?> FindChunkedOnlyAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (!lists.Has(digest) || (await inner.FindMissingAsync([digest], cancellationToken)).Count == 0) return null;
        return await FindChunksAsync(digest, cancellationToken);
    }
}
