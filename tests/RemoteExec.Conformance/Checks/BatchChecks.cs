using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using UpdateRequest = Build.Bazel.Remote.Execution.V2.BatchUpdateBlobsRequest.Types.Request;

namespace RemoteExec.Conformance;

/// <summary>BatchUpdateBlobs and BatchReadBlobs (REAPI C2–C4).</summary>
internal static class BatchChecks
{
    public static IEnumerable<Check> All =>
    [
        new("C2", "each blob of an update has its own status, with its digest", "OK, INVALID_ARGUMENT", async peer =>
        {
            var (right, wrong) = (Blob.Of(Peer.Random(100)), Blob.Of(Peer.Random(100)));
            var answer = await UpdateAsync(peer, Request(right), new UpdateRequest { Digest = wrong.Digest, Data = ByteString.CopyFrom(Peer.Random(100)) });
            return $"{StatusOf(answer, right.Digest)}, {StatusOf(answer, wrong.Digest)}";
        }),
        new("C2", "a blob that is there already is taken again", "OK", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            return StatusOf(await UpdateAsync(peer, Request(blob)), blob.Digest);
        }),
        new("C2", "each blob of a read has its own status, with its digest", "OK, NOT_FOUND", async peer =>
        {
            var (stored, absent) = (await peer.StoreAsync(Peer.Random(100)), Peer.Absent());
            var answer = await peer.BatchReadAsync(stored.Digest, absent);
            return $"{StatusOf(answer, stored.Digest)}, {StatusOf(answer, absent)}";
        }),
        new("C2", "a read brings the bytes", "the bytes", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(50_000));
            return (await peer.BatchReadAsync(blob.Digest)).Responses.Single().Data.Span.SequenceEqual(blob.Content) ? "the bytes" : "other bytes";
        }),
        new("C2", "an update of more than twice what is announced is refused as a whole", "INVALID_ARGUMENT or RESOURCE_EXHAUSTED", async peer =>
        {
            int most = (int)(await peer.CacheAsync()).MaxBatchTotalSizeBytes;
            if (most is 0 or > 8 << 20) throw new NotOfferedException($"max_batch_total_size_bytes is {most}");
            Blob[] blobs = [.. Enumerable.Range(0, 3).Select(_ => Blob.Of(Peer.Random((most * 2 / 3) + 1)))];
            await UpdateAsync(peer, [.. blobs.Select(Request)]);
            return "OK";
        }),
        new("C2", "a read of more than twice what is announced is refused as a whole", "INVALID_ARGUMENT", async peer =>
        {
            long most = (await peer.CacheAsync()).MaxBatchTotalSizeBytes;
            if (most == 0) throw new NotOfferedException("max_batch_total_size_bytes is 0");
            await peer.BatchReadAsync([.. Enumerable.Range(0, 3).Select(_ => Peer.Absent((most * 2 / 3) + 1))]);
            return "OK";
        }),
        new("C2", "an update of what is announced is taken", "all", async peer =>
        {
            int most = (int)(await peer.CacheAsync()).MaxBatchTotalSizeBytes;
            if (most is 0 or > 8 << 20) most = 3 << 20;
            Blob[] blobs = [.. Enumerable.Range(0, 4).Select(_ => Blob.Of(Peer.Random(most / 4)))];
            var answer = await UpdateAsync(peer, [.. blobs.Select(Request)]);
            return answer.Responses.All(each => each.Status is null or { Code: 0 }) && answer.Responses.Count == 4 ? "all" : "not all";
        }),
        new("C3", "a compressed blob of a batch is taken", "OK", async peer =>
        {
            await RequireBatchZstdAsync(peer);
            var blob = Blob.Of(Peer.Text(10_000));
            return StatusOf(await UpdateAsync(peer, Compressed(blob, Zstd.Compress(blob.Content))), blob.Digest);
        }),
        new("C3", "a compressed blob of a batch with other bytes is refused, and nothing is stored", "INVALID_ARGUMENT, missing", async peer =>
        {
            await RequireBatchZstdAsync(peer);
            var blob = Blob.Of(Peer.Text(10_000));
            string seen = StatusOf(await UpdateAsync(peer, Compressed(blob, Zstd.Compress(Peer.Text(10_000)))), blob.Digest);
            return $"{seen}, {(await peer.HasAsync(blob.Digest) ? "present" : "missing")}";
        }),
        new("C3", "a compressor that is not announced is refused", "INVALID_ARGUMENT", async peer =>
        {
            var announced = (await peer.CacheAsync()).SupportedBatchUpdateCompressors;
            var other = ((WireCompressor[])[WireCompressor.Brotli, WireCompressor.Deflate]).First(each => !announced.Contains(each));
            var blob = Blob.Of(Peer.Random(100));
            return StatusOf(await UpdateAsync(peer, new UpdateRequest { Digest = blob.Digest, Data = ByteString.CopyFrom(blob.Content), Compressor = other }), blob.Digest);
        }),
        new("C3", "without acceptable_compressors a read is plain", "Identity", async peer =>
            $"{(await peer.BatchReadAsync((await peer.StoreAsync(Peer.Text(10_000))).Digest)).Responses.Single().Compressor}"),
        new("C3", "a read says which compressor it used, and it is an acceptable one", "the bytes", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Text(10_000));
            var response = (await peer.Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest
            {
                InstanceName = peer.Instance, Digests = { blob.Digest }, AcceptableCompressors = { WireCompressor.Zstd },
            })).Responses.Single();
            byte[] plain = response.Compressor switch
            {
                WireCompressor.Identity => response.Data.ToByteArray(),
                WireCompressor.Zstd => Zstd.Decompress(response.Data.ToByteArray()),
                _ => [],
            };
            return plain.AsSpan().SequenceEqual(blob.Content) ? "the bytes" : $"{response.Compressor}, other bytes";
        }),
    ];

    private static UpdateRequest Request(Blob blob) => new() { Digest = blob.Digest, Data = ByteString.CopyFrom(blob.Content) };

    private static UpdateRequest Compressed(Blob blob, byte[] frame) => new() { Digest = blob.Digest, Data = ByteString.CopyFrom(frame), Compressor = WireCompressor.Zstd };

    private static async Task<BatchUpdateBlobsResponse> UpdateAsync(Peer peer, params IEnumerable<UpdateRequest> requests) =>
        await peer.Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { InstanceName = peer.Instance, Requests = { requests } });

    private static string StatusOf(BatchUpdateBlobsResponse answer, WireDigest digest) =>
        StatusNames.Of(answer.Responses.Single(each => digest.Equals(each.Digest)).Status?.Code ?? 0);

    private static string StatusOf(BatchReadBlobsResponse answer, WireDigest digest) =>
        StatusNames.Of(answer.Responses.Single(each => digest.Equals(each.Digest)).Status?.Code ?? 0);

    private static async Task RequireBatchZstdAsync(Peer peer)
    {
        if (!(await peer.CacheAsync()).SupportedBatchUpdateCompressors.Contains(WireCompressor.Zstd)) throw new NotOfferedException("ZSTD is not announced for batches");
    }
}
