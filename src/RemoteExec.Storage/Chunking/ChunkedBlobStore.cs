using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Blobs that are stored as their chunks only, and chunks that are stored as parts of a blob only, beside all others. Each is here while
/// all that it consists of is, and whatever keeps it keeps that. So bytes that large blobs share are stored once, and nothing is stored twice for
/// having been split.
/// </summary>
/// <param name="chunking">From which size on what is uploaded is cut (<see cref="ChunkingOptions.StoredFromBytes"/>), and how; never when left out.</param>
public sealed class ChunkedBlobStore(IBlobStore inner, ChunkLists lists, ChunkingOptions? chunking = null) : IBlobStore, IDisposable
{
    // Each holds some megabytes while it lasts. Who finds no place is stored as a file, which costs nobody anything.
    private const int WritersMax = 64;

    private readonly ChunkingOptions _chunking = chunking ?? ChunkingOptions.Default;
    private readonly SemaphoreSlim _writers = new(WritersMax);

    /// <summary>Where blobs are that are stored as what they are.</summary>
    internal IBlobStore Inner => inner;

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        await WithoutChunkedAsync(await inner.FindMissingAsync(digests, cancellationToken), cancellationToken);

    // What consists of chunks is kept as after any other question: there are few, and they are large.
    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(
        IReadOnlyList<Digest> digests, PromiseKind kind, CancellationToken cancellationToken) =>
        await WithoutChunkedAsync(await inner.FindMissingAsync(digests, kind, cancellationToken), cancellationToken);

    public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        OpenAsync(digest, offset, isToEnd: false, cancellationToken);

    public ValueTask<IBlobReader?> OpenToEndAsync(Digest digest, long offset, CancellationToken cancellationToken) =>
        OpenAsync(digest, offset, isToEnd: true, cancellationToken);

    private async ValueTask<IBlobReader?> OpenAsync(Digest digest, long offset, bool isToEnd, CancellationToken cancellationToken)
    {
        StorageErrors.CheckOffset(digest, offset);
        if (!lists.Has(digest) || await IsInnerAsync(digest, cancellationToken))
            return await (isToEnd ? inner.OpenToEndAsync(digest, offset, cancellationToken) : inner.OpenReadAsync(digest, offset, cancellationToken));

        if (await FindChunkedAsync(digest, cancellationToken) is { } list) return new ChunkedBlobReader(inner, digest, list.Chunks, offset);
        if (lists.FindPlace(digest) is not { } place) return null;

        return await inner.OpenReadAsync(place.Blob, place.Offset + offset, cancellationToken) is { } whole
            ? new PartialBlobReader(whole, digest.SizeBytes - offset)
            : null;
    }

    public async ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (lists.Has(digest) && await IsHereAsync(digest, cancellationToken)) return new PresentBlobWriter(digest);
        if (digest.SizeBytes < _chunking.StoredFromBytes || await IsInnerAsync(digest, cancellationToken))
            return await inner.CreateWriterAsync(digest, cancellationToken);

        // It refuses what has no room, and what it sets aside is held until the chunks are here.
        var file = await inner.CreateWriterAsync(digest, cancellationToken);
        const ChunkingAlgorithm Algorithm = ChunkingAlgorithm.FastCdc2020;
        var chunker = _chunking.Create(Algorithm);
        return lists.HasRoom((digest.SizeBytes / chunker.ChunkBytesMin) + 1) && await _writers.WaitAsync(TimeSpan.Zero, CancellationToken.None)
            ? new ChunkedBlobWriter(this, digest, Algorithm, chunker, file, _writers)
            : file;
    }

    public void Dispose() => _writers.Dispose();

    public async ValueTask<Status[]> WriteManyAsync(
        IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> blobs, CancellationToken cancellationToken)
    {
        if (blobs.All(blob => IsPlain(blob.Digest))) return await inner.WriteManyAsync(blobs, cancellationToken);

        // What is here as chunks, or is to be, goes one by one; the others stay together.
        var plain = Enumerable.Range(0, blobs.Count).Where(i => IsPlain(blobs[i].Digest)).ToList();
        var others = Enumerable.Range(0, blobs.Count).Except(plain).ToList();
        var statuses = new Status[blobs.Count];
        Put(plain, await inner.WriteManyAsync([.. plain.Select(i => blobs[i])], cancellationToken));
        Put(others, await this.WriteEachAsync([.. others.Select(i => blobs[i])], cancellationToken));
        return statuses;

        void Put(List<int> places, Status[] some)
        {
            for (int i = 0; i < some.Length; i++) statuses[places[i]] = some[i];
        }
    }

    public ValueTask ReadManyAsync(IReadOnlyList<Digest> digests, IBlobReceiver receiver, CancellationToken cancellationToken) =>
        lists.Count > 0 && digests.Any(lists.Has)
            ? this.ReadEachAsync(digests, receiver, cancellationToken)
            : inner.ReadManyAsync(digests, receiver, cancellationToken);

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

    private bool IsPlain(Digest digest) => digest.SizeBytes < _chunking.StoredFromBytes && (lists.Count == 0 || !lists.Has(digest));

    /// <summary>Whether it is worth being looked for here, and not only where all blobs are.</summary>
    internal bool Knows(Digest digest) => lists.Has(digest);

    internal async ValueTask<bool> IsInnerAsync(Digest digest, CancellationToken cancellationToken) =>
        (await inner.FindMissingAsync([digest], cancellationToken)).Count == 0;

    internal async ValueTask<bool> IsHereAsync(Digest digest, CancellationToken cancellationToken) =>
        (await FindMissingAsync([digest], cancellationToken)).Count == 0;

    /// <summary>Makes blobs of their own of chunks, those that are not.</summary>
    /// <exception cref="RpcException">The first failure of one of them.</exception>
    internal async ValueTask StoreChunksAsync(IReadOnlyList<(Digest Digest, ReadOnlyMemory<byte> Data)> chunks, CancellationToken cancellationToken)
    {
        var missing = (await inner.FindMissingAsync([.. chunks.Select(chunk => chunk.Digest)], cancellationToken)).ToHashSet();
        // Once each: the same bytes may come twice.
        var fresh = chunks.Where(chunk => missing.Remove(chunk.Digest)).ToList();
        var statuses = await inner.WriteManyAsync(fresh, cancellationToken);
        if (Array.FindIndex(statuses, status => status.StatusCode != StatusCode.OK) is var failed and >= 0)
            await inner.WriteAllAsync(fresh[failed].Digest, fresh[failed].Data, cancellationToken); // for its details, when to come back among them
    }

    /// <summary>What is stored under a blob's name is not the blob: what is to blame goes, and the blob is a miss that can be uploaded again.</summary>
    internal async ValueTask PutAsideAsync(Digest blob, CancellationToken cancellationToken)
    {
        if (await IsInnerAsync(blob, cancellationToken))
        {
            await PutAsideIfBadAsync(blob, cancellationToken);
            return;
        }

        while (lists.Find(blob, list => !list.IsOfWhole) is { } list)
        {
            foreach (var chunk in list.Chunks.Distinct()) await PutAsideIfBadAsync(chunk, cancellationToken);
            lists.Remove(blob, list);
        }
    }

    private async ValueTask PutAsideIfBadAsync(Digest digest, CancellationToken cancellationToken)
    {
        // A store on another machine looks after its blobs itself.
        if (inner is not ILocalBlobStore local) return;

        await using var reader = await inner.OpenToEndAsync(digest, offset: 0, cancellationToken);
        if (reader is null) return;

        using var hasher = DigestHasher.Create(digest.Function, digest.SizeBytes);
        await reader.ReadToAsync(Stream.Null, hasher, cancellationToken);
        if (hasher.Finish() != digest) local.PutAside(digest);
    }

    private async ValueTask<IReadOnlyList<Digest>> WithoutChunkedAsync(IReadOnlyList<Digest> missing, CancellationToken cancellationToken)
    {
        if (missing.Count == 0 || lists.Count == 0) return missing;

        var known = lists.Which(missing);
        if (known.Count == 0) return missing;

        var wholes = new Dictionary<Digest, bool>(); // whether they are here, for the chunks of one blob are asked for together
        var here = new HashSet<Digest>();
        foreach (int i in known)
        {
            if (await IsPartAsync(missing[i], wholes, cancellationToken) || await FindChunkedAsync(missing[i], cancellationToken) is not null)
                here.Add(missing[i]);
        }

        return [.. missing.Where(digest => !here.Contains(digest))];
    }

    private async ValueTask<bool> IsPartAsync(Digest chunk, Dictionary<Digest, bool> wholes, CancellationToken cancellationToken)
    {
        if (lists.FindPlace(chunk) is not { } place) return false;
        if (!wholes.TryGetValue(place.Blob, out bool isHere)) wholes[place.Blob] = isHere = await IsInnerAsync(place.Blob, cancellationToken);
        return isHere;
    }
}
