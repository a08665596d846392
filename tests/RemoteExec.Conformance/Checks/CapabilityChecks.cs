using Build.Bazel.Remote.Execution.V2;
using Build.Bazel.Semver;

namespace RemoteExec.Conformance;

/// <summary>What is announced (REAPI 1.10), and that it is what old and new clients need to read.</summary>
internal static class CapabilityChecks
{
    private const int Reach = 100;

    public static IEnumerable<Check> All =>
    [
        new("K1", "the lowest version is 2.0, or clients up to Bazel 6 stay out", "2.0", async peer =>
            Text((await peer.CapabilitiesAsync()).LowApiVersion)),
        new("K1", "the highest version has output_paths (2.1) and Action.platform (2.2)", "at least 2.2", async peer =>
        {
            var high = (await peer.CapabilitiesAsync()).HighApiVersion;
            return high is { Major: 2, Minor: >= 2 } ? "at least 2.2" : Text(high);
        }),
        new("K1", "no version is deprecated, or old Bazels warn", "none", async peer =>
            (await peer.CapabilitiesAsync()).DeprecatedApiVersion is { } version ? Text(version) : "none"),
        new("K2", "the cache's own message is there, with hash functions and batch size", "both", async peer =>
        {
            var cache = await peer.CacheAsync();
            return cache.DigestFunctions.Count > 0 && cache.MaxBatchTotalSizeBytes > 0 ? "both"
                : $"{cache.DigestFunctions.Count} functions, batches of {cache.MaxBatchTotalSizeBytes}";
        }),
        new("K2", "who may write results is announced", "said", async peer => (await peer.CacheAsync()).ActionCacheUpdateCapabilities is null ? "not said" : "said"),
        new("K2", "how absolute links are treated is announced", "said", async peer =>
            (await peer.CacheAsync()).SymlinkAbsolutePathStrategy == SymlinkAbsolutePathStrategy.Types.Value.Unknown ? "UNKNOWN" : "said"),
        new("D3", "UNKNOWN is never announced as a hash function", "never", async peer =>
        {
            var all = await peer.CapabilitiesAsync();
            return all.CacheCapabilities.DigestFunctions.Concat(all.ExecutionCapabilities?.DigestFunctions ?? []).Contains(WireDigestFunction.Unknown) ? "announced" : "never";
        }),
        new("D7", "MURMUR3, which is safe for nothing, is not announced", "not announced", async peer =>
            (await peer.CacheAsync()).DigestFunctions.Contains(WireDigestFunction.Murmur3) ? "announced" : "not announced"),
        new("K3", "the one function that old Bazels compare is set, and in the list", "set and listed", async peer =>
        {
            if ((await peer.CapabilitiesAsync()).ExecutionCapabilities is not { ExecEnabled: true } execution) throw new NotOfferedException("exec_enabled is false");
            return execution.DigestFunction == WireDigestFunction.Unknown ? "UNKNOWN"
                : execution.DigestFunctions.Contains(execution.DigestFunction) ? "set and listed" : "set, not listed";
        }),
        new("K4", "only compressors that work both ways are announced", "they work", async peer =>
        {
            var cache = await peer.CacheAsync();
            if (!cache.SupportedCompressors.Contains(WireCompressor.Zstd)) throw new NotOfferedException("zstd, which alone this suite can try, is not announced");

            var blob = Blob.Of(Peer.Text(5000));
            await peer.WriteAsync(Peer.Piece(peer.CompressedUploadName(blob.Digest), Zstd.Compress(blob.Content), finish: true));
            return Zstd.Decompress(await peer.ReadAsync(peer.CompressedReadName(blob.Digest))).AsSpan().SequenceEqual(blob.Content) ? "they work" : "other bytes came back";
        }),
        new("K5", "the answer is the same each time", "the same", async peer =>
        {
            var first = await peer.CapabilitiesAsync();
            var again = await peer.CapabilitiesClient.GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = peer.Instance });
            return first.Equals(again) ? "the same" : "another";
        }),
        new("A6", "the priorities of results that are announced have a 0 and the common ±100", "they do", async peer =>
            Range((await peer.CacheAsync()).CachePriorityCapabilities)),
        new("E11", "the priorities of executions that are announced have a 0 and the common ±100", "they do", async peer =>
        {
            await peer.RequireExecutionAsync();
            return Range((await peer.CapabilitiesAsync()).ExecutionCapabilities.ExecutionPriorityCapabilities);
        }),
        new("C4", "a whole announced batch fits into the 4 MiB that clients take", "it fits", async peer =>
        {
            long batch = (await peer.CacheAsync()).MaxBatchTotalSizeBytes;
            return batch is > 0 and < (4 << 20) - 1024 ? "it fits" : $"{batch} bytes";
        }),
        new("C8", "what is announced of chunking is inside the ranges that clients take", "inside", async peer =>
        {
            var cache = await peer.CacheAsync();
            if (!cache.SplitBlobSupport && !cache.SpliceBlobSupport) throw new NotOfferedException("neither split nor splice is announced");
            if (cache.FastCdc2020Params is { AvgChunkSizeBytes: < 1024 or > 1 << 20 } fast) return $"FastCDC of {fast.AvgChunkSizeBytes}";
            return cache.RepMaxCdcParams is { MinChunkSizeBytes: < 64 } small ? $"RepMaxCDC of {small.MinChunkSizeBytes}" : "inside";
        }),
        new("C9", "what splits also says how: parameters of a function", "said", async peer =>
        {
            await peer.RequireSplitAsync();
            var cache = await peer.CacheAsync();
            return cache.FastCdc2020Params is null && cache.RepMaxCdcParams is null ? "not said" : "said";
        }),
    ];

    private static string Range(PriorityCapabilities? announced) =>
        // In one range or in several.
        new[] { -Reach, 0, Reach }.All(priority => announced?.Priorities.Any(range => range.MinPriority <= priority && priority <= range.MaxPriority) == true)
            ? "they do" : $"{announced}";

    private static string Text(SemVer? version) => version is null ? "not set" : $"{version.Major}.{version.Minor}";
}
