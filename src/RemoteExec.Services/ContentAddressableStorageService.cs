using System.Diagnostics;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Small blobs in batches, and trees (REAPI 1.7). FindMissingBlobs is served by <see cref="RemoteExec.Services.FindMissingBlobs"/> on the
/// bytes of its messages, SplitBlob and SpliceBlob by <see cref="ChunkedBlobs"/>.
/// </summary>
internal sealed class ContentAddressableStorageService(IBlobStore store, ChunkedBlobs chunked, ServicesOptions options, AnswerBudget unsent)
    : ContentAddressableStorage.ContentAddressableStorageBase
{
    // Every entry costs an answer of about a hundred bytes, however small its blob.
    private const int BatchItemsMax = 50_000;

    // An entry's digest, the sentence that it is not there, and its details.
    private const int MissBytes = 400;

    // Smaller blobs do not get smaller.
    private const int CompressBytesMin = 256;

    private readonly TreePages _trees = new(store, options);

    public override async Task<BatchUpdateBlobsResponse> BatchUpdateBlobs(BatchUpdateBlobsRequest request, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        CheckBatch(request.Requests.Count, request.Requests.Sum(item => (long)item.Data.Length));
        var room = new BatchAnswerRoom([.. request.Requests.Select(item => item.Digest)]);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.Requests.FirstOrDefault()?.Digest, options.UnnamedDigestFunction);

        var response = new BatchUpdateBlobsResponse();
        var accepted = new List<(Digest, ReadOnlyMemory<byte>)>(request.Requests.Count);
        var pending = new List<BatchUpdateBlobsResponse.Types.Response>(request.Requests.Count);
        long decompressedMax = 2L * options.BatchBytesMax;
        foreach (var item in request.Requests)
        {
            var answer = new BatchUpdateBlobsResponse.Types.Response { Digest = item.Digest, Status = new RpcStatus() };
            response.Responses.Add(answer);
            try
            {
                var digest = WireDigests.FromWire(item.Digest, function, "digest");
                Door.CheckBlobSize(digest, options);
                var data = Decode(item, digest, ref decompressedMax);
                options.Observer.BlobReceived(item.Data.Length, isCompressed: item.Compressor != WireCompressor.Identity);
                if (data.Length != digest.SizeBytes) throw RpcErrors.Invalid($"the data has {data.Length} bytes, its digest says {digest.SizeBytes}");
                accepted.Add((digest, data));
                pending.Add(answer);
            }
            catch (Exception failure)
            {
                answer.Status = room.Fit(StatusOf(failure, item.Digest));
            }
        }

        var statuses = await store.WriteManyAsync(accepted, context.CancellationToken);
        for (int i = 0; i < statuses.Length; i++)
            pending[i].Status = room.Fit(new RpcStatus { Code = (int)statuses[i].StatusCode, Message = statuses[i].Detail });
        return response;
    }

    public override async Task<BatchReadBlobsResponse> BatchReadBlobs(BatchReadBlobsRequest request, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.Digests.FirstOrDefault(), options.UnnamedDigestFunction);
        long blobBytes = request.Digests.Sum(digest => Math.Clamp(digest.SizeBytes, 0, int.MaxValue));
        CheckBatch(request.Digests.Count, blobBytes);

        bool mayCompress = request.AcceptableCompressors.Contains(WireCompressor.Zstd);
        var room = new BatchAnswerRoom(request.Digests);
        // Before anything is read, for all of it and until it has left.
        long words = Math.Min((long)request.Digests.Count * MissBytes, Limits.AnswerBytesMax);
        if (await unsent.TakeAsync(context, blobBytes + words) is { } held) context.HoldUntilSent(held);

        var response = new BatchReadBlobsResponse();
        foreach (var wire in request.Digests)
        {
            var answer = await ReadOneAsync(wire, function, mayCompress, context.CancellationToken);
            room.Take(answer.Data.Length);
            answer.Status = room.Fit(answer.Status);
            response.Responses.Add(answer);
        }

        return response;
    }

    public override async Task GetTree(GetTreeRequest request, IServerStreamWriter<GetTreeResponse> responseStream, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.RootDigest, options.UnnamedDigestFunction);
        var root = WireDigests.FromWire(request.RootDigest, function, "root_digest");
        using var room = new PageRoom(unsent, context.Peer);
        await _trees.SendAsync(root, request.PageSize, request.PageToken, room, page => responseStream.WriteAsync(page), context.CancellationToken);
    }

    public override Task<SplitBlobResponse> SplitBlob(SplitBlobRequest request, ServerCallContext context) => chunked.SplitAsync(request, context);

    public override Task<SpliceBlobResponse> SpliceBlob(SpliceBlobRequest request, ServerCallContext context) => chunked.SpliceAsync(request, context);

    private async ValueTask<BatchReadBlobsResponse.Types.Response> ReadOneAsync(
        WireDigest wire, DigestFunction function, bool mayCompress, CancellationToken cancellationToken)
    {
        var answer = new BatchReadBlobsResponse.Types.Response { Digest = wire, Status = new RpcStatus() };
        try
        {
            var digest = WireDigests.FromWire(wire, function, "digest");
            // A miss is no exception: fifty thousand of them would take seconds.
            if (await store.ReadAllAsync(digest, 2 * options.BatchBytesMax, cancellationToken) is { } data)
                Encode(answer, data, mayCompress && digest.SizeBytes >= CompressBytesMin);
            else
                answer.Status = RpcErrors.NotFound("blob", digest.ToString()).ToStatus();
        }
        catch (Exception failure) when (failure is RpcException || !cancellationToken.IsCancellationRequested)
        {
            answer.Status = StatusOf(failure, wire);
        }

        return answer;
    }

    /// <summary>Whatever it is, it is the failure of one blob; the text of one that nobody expects may hold paths, and goes to the log only.</summary>
    private static RpcStatus StatusOf(Exception failure, WireDigest? digest)
    {
        if (failure is RpcException refused) return refused.ToStatus();

        Trace.TraceError($"blob {digest} of a batch was not served: {failure}");
        return new RpcStatus { Code = (int)StatusCode.Internal, Message = "internal error; the server's log has more" };
    }

    /// <summary>What is compressed without getting smaller goes as it is: IDENTITY is always acceptable (REAPI C3).</summary>
    private void Encode(BatchReadBlobsResponse.Types.Response answer, ReadOnlyMemory<byte> data, bool mayCompress)
    {
        if (mayCompress && Zstd.Compress(data.Span) is var compressed && compressed.Length < data.Length)
        {
            answer.Compressor = WireCompressor.Zstd;
            answer.Data = UnsafeByteOperations.UnsafeWrap(compressed); // made for this message alone
        }
        else
        {
            answer.Data = UnsafeByteOperations.UnsafeWrap(data); // read for this message alone
        }

        options.Observer.BlobSent(answer.Data.Length, isCompressed: answer.Compressor != WireCompressor.Identity);
    }

    /// <summary>The plain bytes of one entry. A bomb is cut at the size of its digest, and all of a batch together have a bound.</summary>
    private static ReadOnlyMemory<byte> Decode(BatchUpdateBlobsRequest.Types.Request item, Digest digest, ref long decompressedMax)
    {
        if (item.Compressor == WireCompressor.Identity) return item.Data.Memory;
        if (item.Compressor != WireCompressor.Zstd)
            throw RpcErrors.InvalidField("compressor", $"compressor {item.Compressor} is not supported in batches");
        if (digest.SizeBytes > decompressedMax) throw RpcErrors.Invalid("the blobs of this batch are too large when decompressed");

        decompressedMax -= digest.SizeBytes;
        return Zstd.Decompress(item.Data.Span, (int)digest.SizeBytes);
    }

    /// <summary>A batch that is so large that it is not even read (REAPI, BatchUpdateBlobs: INVALID_ARGUMENT). To try it again is in vain.</summary>
    public static RpcException BatchTooLarge(ServicesOptions options) =>
        RpcErrors.Invalid($"the batch is too large, at most {options.BatchBytesMax} bytes are announced (max_batch_total_size_bytes)");

    /// <summary>REAPI C2, C4: up to twice what is announced is taken, more is refused as a whole.</summary>
    private void CheckBatch(int items, long totalBytes)
    {
        if (items > BatchItemsMax) throw RpcErrors.Invalid($"{items} blobs in one batch, at most {BatchItemsMax} are allowed");
        if (totalBytes > 2L * options.BatchBytesMax)
            throw RpcErrors.Invalid($"{totalBytes} bytes in one batch, at most {options.BatchBytesMax} are announced");
    }
}
