using System.Buffers;
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

    private readonly SemaphoreSlim _places = new(Math.Max(1, Environment.ProcessorCount / 2));

    /// <summary>Finds the chunks of a blob, or makes them; they and the blob are promised from now on.</summary>
    /// <param name="wanted">How the client would have it.</param>
    /// <param name="chunksMax">More are of no use to whoever asks.</param>
    /// <returns>Null when the blob is not here, is not what its name says, or has too many chunks.</returns>
    public async ValueTask<ChunkList?> SplitAsync(Digest blob, ChunkingAlgorithm wanted, int chunksMax, CancellationToken cancellationToken)
    {
        if ((await store.FindMissingAsync([blob], cancellationToken)).Count > 0) return null;
        if (await store.FindChunksAsync(blob, wanted == ChunkingAlgorithm.Unknown ? null : wanted, cancellationToken) is { } known && known.Chunks.Count <= chunksMax)
            return known;

        var algorithm = wanted == ChunkingAlgorithm.Unknown ? ChunkingAlgorithm.FastCdc2020 : wanted;
        var chunker = options.Create(algorithm);
        if (blob.SizeBytes <= chunker.ChunkBytesMax) return new ChunkList(algorithm, [blob]);
        if (blob.SizeBytes / chunker.ChunkBytesMin > chunksMax) return null;

        await EnterAsync(cancellationToken);
        try
        {
            // Parts of a file are chunks as they are; of chunks that were cut otherwise, new ones have to be made.
            bool isOfWhole = await store.IsInnerAsync(blob, cancellationToken);
            if (await CutAsync(blob, chunker, isStored: !isOfWhole, cancellationToken) is not { } chunks) return null;

            var list = new ChunkList(algorithm, chunks) { IsOfWhole = isOfWhole };
            await store.KeepAsync(blob, list);
            return list;
        }
        finally
        {
            _places.Release();
        }
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
        if (isPresent && (blob.IsEmpty || offered.Chunks is [_] || await store.FindChunksAsync(blob, algorithm: null, cancellationToken) is not null)) return;

        await EnterAsync(cancellationToken);
        try
        {
            await CheckAsync(blob, offered.Chunks, cancellationToken);
            // A file needs no chunks beside it; a blob that is to live longer than those it shares parts with does.
            bool isOfWhole = await store.IsInnerAsync(blob, cancellationToken);
            var list = offered with { IsOfWhole = isOfWhole, Chunks = isOfWhole ? offered.Chunks : await OwnAsync(offered.Chunks, cancellationToken) };
            await store.KeepAsync(blob, list);
        }
        finally
        {
            _places.Release();
        }
    }

    public void Dispose() => _places.Dispose();

    private async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (!await _places.WaitAsync(WaitMax, cancellationToken))
            throw StorageErrors.Retriable(StatusCode.ResourceExhausted, "too many blobs are being split or spliced; try again", TimeSpan.FromSeconds(1));
    }

    /// <summary>Null when what is stored is not the blob.</summary>
    private async ValueTask<IReadOnlyList<Digest>?> CutAsync(Digest blob, IChunker chunker, bool isStored, CancellationToken cancellationToken)
    {
        await using var reader = await store.OpenReadAsync(blob, offset: 0, cancellationToken);
        if (reader is null) return null;

        using var lent = MemoryPool<byte>.Shared.Rent((int)Math.Min(blob.SizeBytes, chunker.WindowBytesMax + GatherBytes));
        using var hasher = DigestHasher.Create(blob.Function, blob.SizeBytes);
        var chunks = new List<Digest>();
        var gathered = new List<(Digest, ReadOnlyMemory<byte>)>();
        for (int filled = 0; reader.RemainingBytes > 0 || filled > 0;)
        {
            while (filled < lent.Memory.Length && reader.RemainingBytes > 0)
            {
                int read = await reader.ReadAsync(lent.Memory[filled..], cancellationToken);
                if (read == 0) return null;
                hasher.Append(lent.Memory.Span.Slice(filled, read));
                filled += read;
            }

            int start = 0;
            gathered.Clear();
            while (chunker.Next(lent.Memory.Span[start..filled], isLast: reader.RemainingBytes == 0) is var bytes and > 0)
            {
                var piece = lent.Memory.Slice(start, bytes);
                gathered.Add((Digest.Of(blob.Function, piece.Span), piece));
                start += bytes;
            }

            if (isStored) await StoreAsync(gathered, cancellationToken);
            chunks.AddRange(gathered.Select(chunk => chunk.Item1));
            lent.Memory[start..filled].CopyTo(lent.Memory);
            filled -= start;
        }

        return hasher.Finish() == blob ? chunks : null;
    }

    private async ValueTask StoreAsync(List<(Digest Digest, ReadOnlyMemory<byte> Data)> chunks, CancellationToken cancellationToken)
    {
        var missing = (await store.Inner.FindMissingAsync([.. chunks.Select(chunk => chunk.Digest)], cancellationToken)).ToHashSet();
        // Once each: the same bytes may come twice.
        var statuses = await store.Inner.WriteManyAsync([.. chunks.Where(chunk => missing.Remove(chunk.Digest))], cancellationToken);
        foreach (var failed in statuses.Where(status => status.StatusCode != StatusCode.OK))
        {
            throw failed.StatusCode == StatusCode.ResourceExhausted
                ? StorageErrors.Retriable(failed.StatusCode, failed.Detail, TimeSpan.FromSeconds(1))
                : new RpcException(failed);
        }
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

        foreach (var part in await store.Inner.FindMissingAsync(own, cancellationToken))
        {
            if (await store.Inner.WriteFromAsync(part, (offset, cancelled) => store.OpenReadAsync(part, offset, cancelled), cancellationToken) is null)
                throw StorageErrors.Create(StatusCode.NotFound, $"chunk {part} is not here any more");
        }

        return own;
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
