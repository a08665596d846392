using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Conformance;

/// <summary>SplitBlob and SpliceBlob (REAPI C6–C8).</summary>
internal static class ChunkChecks
{
    private const int Large = 6 << 20;

    public static IEnumerable<Check> All =>
    [
        new("C6", "what is not announced is UNIMPLEMENTED", "UNIMPLEMENTED", async peer =>
        {
            if ((await peer.CacheAsync()).SplitBlobSupport) throw new NotOfferedException("it is announced, and the other checks ask for it");
            await SplitAsync(peer, (await peer.StoreAsync(Peer.Random(100))).Digest);
            return "OK";
        }),
        new("C6", "a blob that is absent is NOT_FOUND", "NOT_FOUND", async peer =>
        {
            await peer.RequireSplitAsync();
            return $"{(await SplitAsync(peer, Peer.Absent())).ChunkDigests.Count} chunks";
        }),
        .. from function in (WireChunkingFunction[])[WireChunkingFunction.Unknown, WireChunkingFunction.FastCdc2020, WireChunkingFunction.RepMaxCdc, (WireChunkingFunction)77]
           select new Check("C6", $"the chunks of a large blob are blobs, and make it up: asked for {function}", "they do", async peer =>
           {
               await peer.RequireSplitAsync();
               var blob = await peer.StoreAsync(Peer.Random(Large));
               var split = await SplitAsync(peer, blob.Digest, function);
               var bytes = new List<byte>();
               foreach (var chunk in split.ChunkDigests) bytes.AddRange(await peer.ReadAsync(chunk));
               return bytes.Count == Large && System.Runtime.InteropServices.CollectionsMarshal.AsSpan(bytes).SequenceEqual(blob.Content) ? "they do" : $"{bytes.Count} bytes";
           }),
        .. from function in (WireChunkingFunction[])[WireChunkingFunction.FastCdc2020, WireChunkingFunction.RepMaxCdc]
           select new Check("C8", $"{function}: no chunk is larger or, but for the last, smaller than what is announced allows", "inside", async peer =>
           {
               await peer.RequireSplitAsync();
               var blob = await peer.StoreAsync(Peer.Random(Large));
               var split = await SplitAsync(peer, blob.Digest, function);
               var cache = await peer.CacheAsync();
               var (least, most) = split.ChunkingFunction switch
               {
                   WireChunkingFunction.FastCdc2020 when cache.FastCdc2020Params is { } fast => (fast.AvgChunkSizeBytes / 4, fast.AvgChunkSizeBytes * 4),
                   WireChunkingFunction.RepMaxCdc when cache.RepMaxCdcParams is { } rep => (rep.MinChunkSizeBytes, rep.MinChunkSizeBytes * 2),
                   _ => (0UL, ulong.MaxValue),
               };
               var odd = split.ChunkDigests.Where((chunk, i) => (ulong)chunk.SizeBytes > most || ((ulong)chunk.SizeBytes < least && i < split.ChunkDigests.Count - 1)).ToArray();
               return odd.Length == 0 ? "inside" : $"{odd[0].SizeBytes}, not {least} to {most}, of {split.ChunkingFunction}";
           }),
        new("C8", "an insertion leaves most chunks as they were", "most are the same", async peer =>
        {
            await peer.RequireSplitAsync();
            byte[] content = Peer.Random(Large);
            var first = await SplitAsync(peer, (await peer.StoreAsync(content)).Digest, WireChunkingFunction.FastCdc2020);
            var second = await SplitAsync(peer, (await peer.StoreAsync([.. content[..1_000_000], .. Peer.Random(100), .. content[1_000_000..]])).Digest, WireChunkingFunction.FastCdc2020);
            int same = first.ChunkDigests.Intersect(second.ChunkDigests).Count();
            return same * 2 >= first.ChunkDigests.Count ? "most are the same" : $"{same} of {first.ChunkDigests.Count}";
        }),
        new("C7", "chunks that are there become a blob", "the bytes", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (blob, chunks) = await ChunksAsync(peer, 400_000, 300_000, 5);
            await SpliceAsync(peer, blob.Digest, chunks);
            return (await peer.ReadAsync(blob.Digest)).AsSpan().SequenceEqual(blob.Content) ? "the bytes" : "other bytes";
        }),
        new("C7", "a chunking function that the server does not know is taken", "the bytes", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (blob, chunks) = await ChunksAsync(peer, 100, 200);
            await SpliceAsync(peer, blob.Digest, chunks, (WireChunkingFunction)77);
            return (await peer.ReadAsync(blob.Digest)).AsSpan().SequenceEqual(blob.Content) ? "the bytes" : "other bytes";
        }),
        new("C7", "a chunk that is absent is NOT_FOUND, and nothing is stored", "NOT_FOUND, missing", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (first, second) = (await peer.StoreAsync(Peer.Random(100)), Blob.Of(Peer.Random(100)));
            return await RefusedAsync(peer, Blob.Of([.. first.Content, .. second.Content]), first.Digest, second.Digest);
        }),
        new("C7", "chunks that make up something else are refused, and nothing is stored", "INVALID_ARGUMENT, missing", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (first, second) = (await peer.StoreAsync(Peer.Random(100)), await peer.StoreAsync(Peer.Random(100)));
            return await RefusedAsync(peer, Blob.Of(Peer.Random(200)), first.Digest, second.Digest);
        }),
        new("C7", "chunks in the wrong order are refused, and nothing is stored", "INVALID_ARGUMENT, missing", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (first, second) = (await peer.StoreAsync(Peer.Random(100)), await peer.StoreAsync(Peer.Random(100)));
            return await RefusedAsync(peer, Blob.Of([.. first.Content, .. second.Content]), second.Digest, first.Digest);
        }),
        new("C7", "chunks without the blob's digest are refused", "INVALID_ARGUMENT", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (_, chunks) = await ChunksAsync(peer, 100, 200);
            await peer.Cas.SpliceBlobAsync(new SpliceBlobRequest { InstanceName = peer.Instance, ChunkDigests = { chunks } });
            return "OK";
        }),
        new("C7", "a blob that is there already is taken again, or said to be there", "OK or ALREADY_EXISTS", async peer =>
        {
            await peer.RequireSpliceAsync();
            var (blob, chunks) = await ChunksAsync(peer, 100, 200);
            await peer.StoreAsync([blob]);
            await SpliceAsync(peer, blob.Digest, chunks);
            return "OK";
        }),
    ];

    private static async Task<(Blob Whole, WireDigest[] Chunks)> ChunksAsync(Peer peer, params int[] sizes)
    {
        Blob[] chunks = [.. sizes.Select(size => Blob.Of(Peer.Random(size)))];
        await peer.StoreAsync(chunks);
        return (Blob.Of([.. chunks.SelectMany(chunk => chunk.Content)]), [.. chunks.Select(chunk => chunk.Digest)]);
    }

    private static async Task<SplitBlobResponse> SplitAsync(Peer peer, WireDigest blob, WireChunkingFunction function = WireChunkingFunction.Unknown) =>
        await peer.Cas.SplitBlobAsync(new SplitBlobRequest { InstanceName = peer.Instance, BlobDigest = blob, ChunkingFunction = function });

    private static async Task SpliceAsync(Peer peer, WireDigest blob, WireDigest[] chunks, WireChunkingFunction function = WireChunkingFunction.Unknown) =>
        await peer.Cas.SpliceBlobAsync(new SpliceBlobRequest { InstanceName = peer.Instance, BlobDigest = blob, ChunkDigests = { chunks }, ChunkingFunction = function });

    private static async Task<string> RefusedAsync(Peer peer, Blob whole, params WireDigest[] chunks)
    {
        string seen = await WriteChecks.SeenAsync(async () =>
        {
            await SpliceAsync(peer, whole.Digest, chunks);
            return "OK";
        });
        return $"{seen}, {(await peer.HasAsync(whole.Digest) ? "present" : "missing")}";
    }
}
