using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>ContentAddressableStorage.BatchUpdateBlobs on the bytes of its messages (<see cref="BatchQuery"/>): the blobs are stored from where they came in.</summary>
internal sealed class BatchUpdateBlobs(IBlobStore store, ServicesOptions options)
{
    public static Method<LentMessage, BatchAnswer> Method { get; } = new(
        MethodType.Unary, ContentAddressableStorage.Descriptor.FullName,
        nameof(ContentAddressableStorage.ContentAddressableStorageBase.BatchUpdateBlobs),
        ServedOnly.Requests(LentMessage.Deserialize), ServedOnly.Responses<BatchAnswer>(BatchAnswer.Serialize));

    public async Task<BatchAnswer> HandleAsync(LentMessage request, ServerCallContext context)
    {
        using (request)
        {
            var query = BatchQuery.ParseUpdate(request.Bytes.Span, options.UnnamedDigestFunction);
            BatchRules.Check(query.Entries.Sum(entry => (long)request.Bytes[entry.Data].Length), options);
            var room = new BatchAnswerRoom(query.Entries.Count, query.Entries.Sum(entry => (long)entry.DigestBytes));

            var failures = new RpcStatus?[query.Entries.Count];
            var accepted = new List<(Digest, ReadOnlyMemory<byte>)>(failures.Length);
            var places = new List<int>(failures.Length); // of the accepted, among all
            long decompressedMax = 2L * options.BatchBytesMax;
            for (int i = 0; i < failures.Length; i++)
            {
                var entry = query.Entries[i];
                if (Take(request.Bytes, entry, query.Function, ref decompressedMax, out var digest, out var data) is { } refused)
                {
                    failures[i] = room.Fit(BatchRules.StatusOf(refused, digest));
                    continue;
                }

                accepted.Add((digest, data));
                places.Add(i);
            }

            var statuses = await store.WriteManyAsync(accepted, context.CancellationToken);
            for (int i = 0; i < statuses.Length; i++)
            {
                if (statuses[i].StatusCode != StatusCode.OK)
                    failures[places[i]] = room.Fit(new RpcStatus { Code = (int)statuses[i].StatusCode, Message = statuses[i].Detail });
            }

            return Answer(request.Bytes.Span, query, failures);
        }
    }

    private static BatchAnswer Answer(ReadOnlySpan<byte> request, BatchQuery query, RpcStatus?[] failures)
    {
        var answer = new BatchAnswer(query.Entries.Sum(entry => entry.DigestBytes + 8));
        for (int i = 0; i < failures.Length; i++)
            answer.AddUpdate(query.Entries[i].Digest is { } digest ? request[digest] : default, failures[i]);
        return answer;
    }

    /// <summary>The plain bytes of one entry, or why they are not taken.</summary>
    private Exception? Take(
        ReadOnlyMemory<byte> request, BatchEntry entry, DigestFunction function, ref long decompressedMax, out Digest digest, out ReadOnlyMemory<byte> data)
    {
        data = default;
        if (entry.TryGetDigest(request.Span, function, out digest) is { } invalid) return invalid;

        try
        {
            Door.CheckBlobSize(digest, options);
            var sent = request[entry.Data];
            data = Decode(sent, entry.Compressor, digest, ref decompressedMax);
            options.Observer.BlobReceived(sent.Length, isCompressed: entry.Compressor != WireCompressor.Identity);
        }
        catch (Exception failure)
        {
            return failure;
        }

        return data.Length == digest.SizeBytes ? null : RpcErrors.Invalid($"the data has {data.Length} bytes, its digest says {digest.SizeBytes}");
    }

    /// <summary>A bomb is cut at the size of its digest, and all of a batch together have a bound.</summary>
    private static ReadOnlyMemory<byte> Decode(ReadOnlyMemory<byte> sent, WireCompressor compressor, Digest digest, ref long decompressedMax)
    {
        if (compressor == WireCompressor.Identity) return sent;
        if (compressor != WireCompressor.Zstd) throw RpcErrors.InvalidField("compressor", $"compressor {compressor} is not supported in batches");
        if (digest.SizeBytes > decompressedMax) throw RpcErrors.Invalid("the blobs of this batch are too large when decompressed");

        decompressedMax -= digest.SizeBytes;
        return Zstd.Decompress(sent.Span, (int)digest.SizeBytes);
    }
}
