using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>Cuts stored blobs into chunks, and makes blobs of chunks that are stored (REAPI, SplitBlob and SpliceBlob).</summary>
/// <remarks>Each reads a blob from end to end, so only a few do at a time; who comes too late for a place is told to try again.</remarks>
public sealed class BlobSplitter(ChunkedBlobStore store, ChunkingOptions options) : IDisposable
{
    /// <summary>Of Bazel's minute for a call (--remote_timeout) most is left for the work.</summary>
    public static readonly TimeSpan WaitMax = TimeSpan.FromSeconds(20);

    // Chunks that are written together share a flush.
    private const int GatherBytes = 8 << 20;

    private const int FewChunks = 64;

    private readonly SemaphoreSlim _places = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Finds the chunks of a blob, or makes them; they and the blob are promised from now on.</summary>
    /// <param name="wanted">How the client would have it.</param>
    /// <param name="chunksMax">More are of no use to whoever asks.</param>
    /// <returns>Null when the blob is not here, is not what its name says, or has too many chunks.</returns>
    public async ValueTask<ChunkList?> SplitAsync(Digest blob, ChunkingAlgorithm wanted, int chunksMax, CancellationToken cancellationToken)
    {
        if ((await store.FindMissingAsync([blob], cancellationToken)).Count > 0) return null;
        if (await store.FindChunksAsync(blob, wanted == ChunkingAlgorithm.Unknown ? null : wanted, cancellationToken) is { } known && IsUseful(known))
            return known;

        var algorithm = wanted == ChunkingAlgorithm.Unknown ? ChunkingAlgorithm.FastCdc2020 : wanted;
        var chunker = options.Create(algorithm);
        if (blob.SizeBytes <= chunker.ChunkBytesMax) return new ChunkList(algorithm, [blob]);
        if (blob.SizeBytes / chunker.ChunkBytesMin > chunksMax) return null;

        await EnterAsync(cancellationToken);
        try
        {
            // While this waited, somebody may have done it.
            if (await store.FindChunksAsync(blob, algorithm, cancellationToken) is { } done && IsUseful(done)) return done;

            // Parts of a file are chunks as they are; of chunks that were cut otherwise, new ones have to be made.
            bool isOfWhole = await store.IsInnerAsync(blob, cancellationToken);
            if (await CutAsync(blob, chunker, isStored: !isOfWhole, cancellationToken) is not { } chunks)
            {
                await store.PutAsideAsync(blob, cancellationToken);
                return null;
            }

            var list = new ChunkList(algorithm, chunks) { IsOfWhole = isOfWhole };
            await store.KeepAsync(blob, list);
            return list;
        }
        finally
        {
            _places.Release();
        }

        // An earlier run may have cut it in other sizes than are announced now, which Bazel takes for an error.
        bool IsUseful(ChunkList list) => list.Chunks.Count <= chunksMax && AlgorithmOf(list) == list.Algorithm;
    }

    /// <summary>Makes a blob of chunks, whose sizes add up to its own; nothing is written but their list, and what was only a part of another blob.</summary>
    /// <exception cref="RpcException">As REAPI's SpliceBlob has them: NOT_FOUND, INVALID_ARGUMENT, ALREADY_EXISTS, RESOURCE_EXHAUSTED.</exception>
    public async ValueTask SpliceAsync(Digest blob, ChunkList offered, CancellationToken cancellationToken)
    {
        var lost = await store.FindMissingAsync(offered.Chunks, cancellationToken);
        bool isPresent = (await store.FindMissingAsync([blob], cancellationToken)).Count == 0;
        if (lost.Count > 0)
        {
            // Some of what was offered was not kept, which is what this code tells of a blob that is here without it.
            throw isPresent
                ? StorageErrors.Create(StatusCode.AlreadyExists, $"blob {blob} is here, but not by these chunks: {lost.Count} of them are not, as {lost[0]}")
                : StorageErrors.Create(StatusCode.NotFound, $"{lost.Count} of the chunks of {blob} are not here, as {lost[0]}");
        }

        // Both are here and promised. To read all of it again would tell nothing new.
        if (isPresent && (blob.IsEmpty || offered.Chunks is [var only] && only == blob || await IsKnownAsync())) return;

        await EnterAsync(cancellationToken);
        try
        {
            if (await IsKnownAsync()) return; // while this waited, somebody did it

            if (IsCutTooFine(blob, offered.Chunks.Count))
            {
                // As a file: lists have their bounds, and a few of such would leave nothing for anybody else.
                await store.Inner.WriteFromAsync(blob, (offset, _) => ValueTask.FromResult<IBlobReader?>(new ChunkedBlobReader(store, blob, offered.Chunks, offset)), cancellationToken);
                return;
            }

            await CheckAsync(blob, offered.Chunks, cancellationToken);
            // A file needs no chunks beside it; a blob that is to live longer than those it shares parts with does.
            bool isOfWhole = await store.IsInnerAsync(blob, cancellationToken);
            var list = new ChunkList(AlgorithmOf(offered), isOfWhole ? offered.Chunks : await OwnAsync(offered.Chunks, cancellationToken)) { IsOfWhole = isOfWhole };
            await store.KeepAsync(blob, list);
        }
        finally
        {
            _places.Release();
        }

        async ValueTask<bool> IsKnownAsync() =>
            await store.FindChunksAsync(blob, algorithm: null, cancellationToken) is not null
            && (await store.FindMissingAsync([blob], cancellationToken)).Count == 0;
    }

    public void Dispose() => _places.Dispose();

    /// <summary>By less than a sixteenth of what is announced on average. A few chunks are a few whatever their size.</summary>
    private bool IsCutTooFine(Digest blob, int chunks) => chunks > FewChunks && blob.SizeBytes / chunks < options.FastCdcAverageBytes / 16;

    /// <summary>What the client says, unless its chunks have sizes that the announced parameters do not give: others would refuse them.</summary>
    private ChunkingAlgorithm AlgorithmOf(ChunkList offered)
    {
        if (offered.Algorithm == ChunkingAlgorithm.Unknown) return ChunkingAlgorithm.Unknown;

        var chunker = options.Create(offered.Algorithm);
        bool fits = offered.Chunks.All(chunk => chunk.SizeBytes <= chunker.ChunkBytesMax)
            && offered.Chunks.SkipLast(1).All(chunk => chunk.SizeBytes >= chunker.ChunkBytesMin);
        return fits ? offered.Algorithm : ChunkingAlgorithm.Unknown;
    }

    private async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (!await _places.WaitAsync(WaitMax, cancellationToken))
            throw StorageErrors.Retriable(StatusCode.ResourceExhausted, "too many blobs are being split or spliced; try again", TimeSpan.FromSeconds(1));
    }

    /// <summary>Null when what is stored is not the blob.</summary>
    private async ValueTask<IReadOnlyList<Digest>?> CutAsync(Digest blob, IChunker chunker, bool isStored, CancellationToken cancellationToken)
    {
        await using var reader = await store.OpenToEndAsync(blob, offset: 0, cancellationToken);
        if (reader is null) return null;

        using var cutter = new BlobCutter(chunker, blob.Function, blob.SizeBytes, GatherBytes);
        using var hasher = DigestHasher.Create(blob.Function, blob.SizeBytes);
        while (reader.RemainingBytes > 0)
        {
            while (!cutter.Free.IsEmpty && reader.RemainingBytes > 0)
            {
                int read = await reader.ReadAsync(cutter.Free, cancellationToken);
                if (read == 0) return null;
                hasher.Append(cutter.Free.Span[..read]);
                cutter.Filled(read);
            }

            var chunks = cutter.Cut(isLast: reader.RemainingBytes == 0);
            if (isStored) await store.StoreChunksAsync(chunks, cancellationToken);
            cutter.Drop();
        }

        return hasher.Finish() == blob ? cutter.Chunks : null;
    }

    /// <summary>The same bytes as blobs of their own: what is itself only here by its chunks gives those, and what is a part of a file is copied.</summary>
    private async ValueTask<IReadOnlyList<Digest>> OwnAsync(IReadOnlyList<Digest> chunks, CancellationToken cancellationToken)
    {
        var others = (await store.Inner.FindMissingAsync(chunks, cancellationToken)).ToHashSet();
        if (others.Count == 0) return chunks;

        var own = new List<Digest>(chunks.Count);
        foreach (var chunk in chunks)
        {
            if (others.Contains(chunk) && await store.FindChunkedAsync(chunk, cancellationToken) is { } list) own.AddRange(list.Chunks);
            else own.Add(chunk);
            if (own.Count > ChunkListFormat.ChunksMax)
                throw StorageErrors.Create(StatusCode.InvalidArgument, $"more than {ChunkListFormat.ChunksMax} chunks");
        }

        await StorePartsAsync(await store.Inner.FindMissingAsync(own, cancellationToken), cancellationToken);
        return own;
    }

    private async ValueTask StorePartsAsync(IReadOnlyList<Digest> parts, CancellationToken cancellationToken)
    {
        var gathered = new List<(Digest, ReadOnlyMemory<byte>)>();
        long bytes = 0;
        foreach (var part in parts)
        {
            if (bytes + part.SizeBytes > GatherBytes) await StoreAsync();
            if (part.SizeBytes > GatherBytes)
            {
                if (await store.Inner.WriteFromAsync(part, (offset, cancelled) => store.OpenToEndAsync(part, offset, cancelled), cancellationToken) is null) throw Lost(part);
                continue;
            }

            gathered.Add((part, await store.ReadAllAsync(part, GatherBytes, cancellationToken) ?? throw Lost(part)));
            bytes += part.SizeBytes;
        }

        await StoreAsync();

        async ValueTask StoreAsync()
        {
            await store.StoreChunksAsync(gathered, cancellationToken);
            gathered.Clear();
            bytes = 0;
        }

        static RpcException Lost(Digest part) => StorageErrors.Create(StatusCode.NotFound, $"chunk {part} is not here any more");
    }

    /// <summary>The hash is what makes it a blob; who claims it is not asked (REAPI C7).</summary>
    private async ValueTask CheckAsync(Digest blob, IReadOnlyList<Digest> chunks, CancellationToken cancellationToken)
    {
        await using var reader = new ChunkedBlobReader(store, blob, chunks, offset: 0);
        using var hasher = DigestHasher.Create(blob.Function, blob.SizeBytes);
        await reader.ReadToAsync(Stream.Null, hasher, cancellationToken);
        var actual = hasher.Finish();
        if (actual != blob) throw StorageErrors.Create(StatusCode.InvalidArgument, $"the chunks of {blob} hash to {actual.Hash}");
    }
}
