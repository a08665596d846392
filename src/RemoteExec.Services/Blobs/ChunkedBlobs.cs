using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>SplitBlob and SpliceBlob (REAPI C6, C7): large blobs travel as the chunks that the other side lacks.</summary>
internal sealed class ChunkedBlobs(BlobSplitter splitter, ServicesOptions options, AnswerBudget unsent)
{
    // Of an entry beside its hash: tags, lengths and a size.
    private const int EntryFramingBytes = 16;

    public async Task<SplitBlobResponse> SplitAsync(SplitBlobRequest request, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.BlobDigest, options.UnnamedDigestFunction);
        var blob = WireDigests.FromWire(request.BlobDigest, function, "blob_digest");

        var list = await splitter.SplitAsync(blob, AlgorithmOf(request.ChunkingFunction), ChunksMaxOf(function), context.CancellationToken)
            ?? throw RpcErrors.NotFound("blob to be split", blob.ToString());

        if (await unsent.TakeAsync(context, (long)list.Chunks.Count * EntryBytesOf(function)) is { } held) context.HoldUntilSent(held);
        return new SplitBlobResponse
        {
            ChunkDigests = { list.Chunks.Select(chunk => chunk.ToWire()) },
            ChunkingFunction = (WireChunkingFunction)(int)list.Algorithm,
        };
    }

    public async Task<SpliceBlobResponse> SpliceAsync(SpliceBlobRequest request, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.BlobDigest, options.UnnamedDigestFunction);
        var blob = WireDigests.FromWire(request.BlobDigest, function, "blob_digest");
        Door.CheckBlobSize(blob, options);
        if (request.ChunkDigests.Count > ChunksMaxOf(function))
            throw RpcErrors.InvalidField("chunk_digests", $"{request.ChunkDigests.Count} chunks, at most {ChunksMaxOf(function)} are taken");

        var chunks = new Digest[request.ChunkDigests.Count];
        long left = blob.SizeBytes;
        for (int i = 0; i < chunks.Length; i++)
        {
            chunks[i] = WireDigests.FromWire(request.ChunkDigests[i], function, "chunk_digests");
            left -= Math.Min(left + 1, chunks[i].SizeBytes); // no sum of theirs overflows
        }

        // Before anything is read: what differs in size differs in hash.
        if (left != 0) throw RpcErrors.InvalidField("chunk_digests", $"the sizes of the chunks do not add up to the {blob.SizeBytes} bytes of the blob");

        await splitter.SpliceAsync(blob, new ChunkList(AlgorithmOf(request.ChunkingFunction), chunks), context.CancellationToken);
        return new SpliceBlobResponse { BlobDigest = blob.ToWire() };
    }

    /// <summary>So many fit into an answer of any size that clients take.</summary>
    private static int ChunksMaxOf(DigestFunction function) => Limits.AnswerBytesMax / EntryBytesOf(function);

    private static int EntryBytesOf(DigestFunction function) => (2 * function.HashBytes()) + EntryFramingBytes;

    /// <summary>What nobody has told us of is a client's own rule; we may use another (REAPI, SplitBlobRequest.chunking_function).</summary>
    private static ChunkingAlgorithm AlgorithmOf(WireChunkingFunction function) => function switch
    {
        WireChunkingFunction.FastCdc2020 => ChunkingAlgorithm.FastCdc2020,
        WireChunkingFunction.RepMaxCdc => ChunkingAlgorithm.RepMaxCdc,
        _ => ChunkingAlgorithm.Unknown,
    };
}
