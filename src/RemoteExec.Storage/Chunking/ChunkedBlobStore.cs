namespace RemoteExec.Storage;

/// <summary>
/// Blobs that are stored as their chunks only, and chunks that are stored as parts of a blob only, beside all others. Each is here while
/// all that it consists of is, and whatever keeps it keeps that. So bytes that large blobs share are stored once, and nothing is stored twice for
/// having been split.
/// </summary>
public sealed class ChunkedBlobStore(IBlobStore inner, ChunkLists lists) : IBlobStore
{
    /// <summary>Where blobs are that are stored as what they are.</summary>
    internal IBlobStore Inner => inner;

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var missing = await inner.FindMissingAsync(digests, cancellationToken);
        if (missing.Count == 0 || lists.Count == 0) return missing;

        var wholes = new Dictionary<Digest, bool>(); // whether they are here, for the chunks of one blob are asked for together
        List<Digest>? still = null; // made when the first is found to be here after all
        for (int i = 0; i < missing.Count; i++)
        {
            bool isHere = await IsPartAsync(missing[i], wholes, cancellationToken) || await FindChunkedAsync(missing[i], cancellationToken) is not null;
            if (isHere) still ??= [.. missing.Take(i)];
            else still?.Add(missing[i]);
        }

        return still ?? missing;
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        StorageErrors.CheckOffset(digest, offset);
        if (!lists.Has(digest) || await IsInnerAsync(digest, cancellationToken)) return await inner.OpenReadAsync(digest, offset, cancellationToken);
        if (await FindChunkedAsync(digest, cancellationToken) is { } list) return new ChunkedBlobReader(inner, digest, list.Chunks, offset);
        if (lists.FindPlace(digest) is not { } place) return null;

        return await inner.OpenReadAsync(place.Blob, place.Offset + offset, cancellationToken) is { } whole
            ? new PartialBlobReader(whole, digest.SizeBytes - offset)
            : null;
    }

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        lists.Has(digest) && (await FindMissingAsync([digest], cancellationToken)).Count == 0
            ? new PresentBlobWriter(digest)
            : await inner.CreateWriterAsync(digest, cancellationToken);

    /// <summary>The chunks of a blob, all of them here and promised; null when no such list of it is known, or it is worth nothing.</summary>
    /// <param name="algorithm">Null for any.</param>
    internal async ValueTask<ChunkList?> FindChunksAsync(Digest blob, ChunkingAlgorithm? algorithm, CancellationToken cancellationToken)
    {
        if (lists.Find(blob, list => algorithm is null || list.Algorithm == algorithm) is not { } found) return null;

        var lost = await inner.FindMissingAsync(found.IsOfWhole ? [blob] : found.Chunks, cancellationToken);
        if (lost.Count == 0) return found;

        lists.Remove(blob, found);
        return null;
    }

    /// <summary>The chunks that a blob is stored as.</summary>
    internal async ValueTask<ChunkList?> FindChunkedAsync(Digest blob, CancellationToken cancellationToken)
    {
        // More than one when it was cut in several ways; what is lost in one may be there in another.
        while (lists.Find(blob, list => !list.IsOfWhole) is { } found)
        {
            if ((await inner.FindMissingAsync(found.Chunks, cancellationToken)).Count == 0) return found;
            lists.Remove(blob, found);
        }

        return null;
    }

    /// <summary>Keeps a list whose chunks are here and known to be the blob.</summary>
    internal ValueTask KeepAsync(Digest blob, ChunkList list) =>
        new(Task.Run(() => lists.Add(blob, list))); // it waits for the disk

    /// <summary>Whether it is worth being looked for here, and not only where all blobs are.</summary>
    internal bool Knows(Digest digest) => lists.Has(digest);

    internal async ValueTask<bool> IsInnerAsync(Digest digest, CancellationToken cancellationToken) =>
        (await inner.FindMissingAsync([digest], cancellationToken)).Count == 0;

    private async ValueTask<bool> IsPartAsync(Digest chunk, Dictionary<Digest, bool> wholes, CancellationToken cancellationToken)
    {
        if (lists.FindPlace(chunk) is not { } place) return false;
        if (!wholes.TryGetValue(place.Blob, out bool isHere)) wholes[place.Blob] = isHere = await IsInnerAsync(place.Blob, cancellationToken);
        return isHere;
    }
}
