using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What is announced is so, in each instance and for each caller (REAPI K2, K5).</summary>
internal static class AnnouncementChecks
{
    private const string MetadataHeader = "build.bazel.remote.execution.v2.requestmetadata-bin";

    private const int Large = 6 << 20;

    public static IEnumerable<Check> All =>
    [
        new("K2", "the largest blob is not smaller than a batch", "they fit", async peer =>
        {
            var cache = await peer.CacheAsync();
            return cache.MaxCasBlobSizeBytes == 0 || cache.MaxCasBlobSizeBytes >= cache.MaxBatchTotalSizeBytes ? "they fit" : $"{cache.MaxCasBlobSizeBytes} and {cache.MaxBatchTotalSizeBytes}";
        }),
        new("K2", "SplitBlob is announced where it is served, and nowhere else", "as announced", async peer =>
            await AsAnnouncedAsync((await peer.CacheAsync()).SplitBlobSupport, async () =>
                await peer.Cas.SplitBlobAsync(new SplitBlobRequest { InstanceName = peer.Instance, BlobDigest = (await peer.StoreAsync(Peer.Random(100))).Digest }))),
        new("K2", "SpliceBlob is announced where it is served, and nowhere else", "as announced", async peer =>
            await AsAnnouncedAsync((await peer.CacheAsync()).SpliceBlobSupport, async () =>
            {
                var chunk = await peer.StoreAsync(Peer.Random(100));
                await peer.Cas.SpliceBlobAsync(new SpliceBlobRequest { InstanceName = peer.Instance, BlobDigest = Blob.Of([.. chunk.Content, .. chunk.Content]).Digest, ChunkDigests = { chunk.Digest, chunk.Digest } });
            })),
        .. from function in (WireChunkingFunction[])[WireChunkingFunction.FastCdc2020, WireChunkingFunction.RepMaxCdc]
           select new Check("K2", $"a server that announces parameters of {function} cuts by it when it is asked to", $"{function}", async peer =>
           {
               await peer.RequireSplitAsync();
               var cache = await peer.CacheAsync();
               if (function == WireChunkingFunction.FastCdc2020 ? cache.FastCdc2020Params is null : cache.RepMaxCdcParams is null) throw new NotOfferedException("no parameters of it are announced");
               var blob = await peer.StoreAsync(Peer.Random(Large));
               return $"{(await peer.Cas.SplitBlobAsync(new SplitBlobRequest { InstanceName = peer.Instance, BlobDigest = blob.Digest, ChunkingFunction = function })).ChunkingFunction}";
           }),
        new("K2", "a compressor that is announced for batches is taken in them", "OK", async peer =>
        {
            if (!(await peer.CacheAsync()).SupportedBatchUpdateCompressors.Contains(WireCompressor.Zstd)) throw new NotOfferedException("ZSTD is not announced for batches");
            var blob = Blob.Of(Peer.Text(5000));
            var request = new BatchUpdateBlobsRequest { InstanceName = peer.Instance };
            request.Requests.Add(new BatchUpdateBlobsRequest.Types.Request { Digest = blob.Digest, Data = ByteString.CopyFrom(Zstd.Compress(blob.Content)), Compressor = WireCompressor.Zstd });
            return StatusNames.Of((await peer.Cas.BatchUpdateBlobsAsync(request)).Responses[0].Status?.Code ?? 0);
        }),
        .. from instance in (string[])["", "some/instance"]
           select new Check("K5", $"in the instance '{instance}' each of two callers may write results where that is announced to him, and nowhere else", "as announced", async peer =>
           {
               foreach (string tool in (string[])["bazel", "recc"])
               {
                   var caller = new Metadata { { MetadataHeader, new RequestMetadata { ToolDetails = new ToolDetails { ToolName = tool } }.ToByteArray() } };
                   var announced = await AnnouncedAsync(peer, instance, caller);
                   string seen = await WriteChecks.SeenAsync(async () => await WriteResultAsync(peer, instance, caller));
                   bool isOpen = announced.CacheCapabilities?.ActionCacheUpdateCapabilities?.UpdateEnabled == true;
                   if (seen != (isOpen ? "OK" : "PERMISSION_DENIED")) return $"{tool}: update_enabled is {isOpen}, and then {seen}";
               }

               return "as announced";
           }),
        new("K5", "in every instance that is served each digest function that is announced is known", "known", async peer =>
        {
            foreach (string instance in (string[])["", "some/instance"])
            {
                foreach (var function in (await AnnouncedAsync(peer, instance, [])).CacheCapabilities.DigestFunctions)
                {
                    string seen = await WriteChecks.SeenAsync(async () =>
                    {
                        await peer.Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = instance, DigestFunction = function });
                        return "OK";
                    });
                    if (seen != "OK") return $"{function} in '{instance}': {seen}";
                }
            }

            return "known";
        }),
        new("K5", "two callers at once, on lines of their own, are told the same of one instance", "the same", async peer =>
        {
            using var line = peer.OpenLine();
            var here = peer.CapabilitiesClient.GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = peer.Instance }).ResponseAsync;
            var there = line.Capabilities.GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = peer.Instance }, cancellationToken: peer.Deadline).ResponseAsync;
            return (await here).Equals(await there) ? "the same" : "something else";
        }),
    ];

    private static async Task<string> AsAnnouncedAsync(bool isAnnounced, Func<Task> call)
    {
        string seen = await WriteChecks.SeenAsync(async () =>
        {
            await call();
            return "OK";
        });
        return (isAnnounced, seen) is (true, "OK") or (false, "UNIMPLEMENTED") ? "as announced" : $"{(isAnnounced ? "announced" : "not announced")}, and {seen}";
    }

    private static async Task<ServerCapabilities> AnnouncedAsync(Peer peer, string instance, Metadata caller)
    {
        try
        {
            return await peer.CapabilitiesClient.GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = instance }, caller);
        }
        catch (RpcException failure) when (failure.StatusCode is StatusCode.NotFound or StatusCode.PermissionDenied or StatusCode.Unauthenticated or StatusCode.InvalidArgument)
        {
            throw new NotOfferedException($"the instance '{instance}': {failure.Status.Detail}");
        }
    }

    private static async Task<string> WriteResultAsync(Peer peer, string instance, Metadata caller)
    {
        var request = new UpdateActionResultRequest { InstanceName = instance, ActionDigest = Peer.Absent(), ActionResult = new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("said") } };
        await peer.Results.UpdateActionResultAsync(request, caller);
        return "OK";
    }
}
