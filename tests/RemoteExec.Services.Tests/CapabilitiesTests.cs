using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests;

internal sealed class CapabilitiesTests : ServicesFixture
{
    private async Task<ServerCapabilities> AskAsync(string instance = "") =>
        await new Capabilities.CapabilitiesClient(Channel).GetCapabilitiesAsync(new GetCapabilitiesRequest { InstanceName = instance });

    [Test] // REAPI K1
    public async Task Versions_span_2_0_to_2_12_and_nothing_is_deprecated()
    {
        var answer = await AskAsync();

        Assert.That(answer.LowApiVersion, Is.EqualTo(new Build.Bazel.Semver.SemVer { Major = 2 }));
        Assert.That(answer.HighApiVersion, Is.EqualTo(new Build.Bazel.Semver.SemVer { Major = 2, Minor = 12 }));
        Assert.That(answer.DeprecatedApiVersion, Is.Null);
    }

    [Test] // REAPI K2, C4
    public async Task The_batch_limit_leaves_room_under_the_usual_4_MiB()
    {
        var cache = (await AskAsync()).CacheCapabilities;

        Assert.That(cache.MaxBatchTotalSizeBytes, Is.EqualTo((4 << 20) - (64 << 10)));
        Assert.That(cache.MaxCasBlobSizeBytes, Is.EqualTo(Options.BlobBytesMax));
        Assert.That(cache.SymlinkAbsolutePathStrategy, Is.EqualTo(SymlinkAbsolutePathStrategy.Types.Value.Disallowed));
    }

    [Test] // REAPI K2, C8: what REAPI recommends, and Bazel takes for granted
    public async Task Chunks_are_announced_in_the_recommended_sizes()
    {
        var cache = (await AskAsync()).CacheCapabilities;

        Assert.That(cache.SplitBlobSupport && cache.SpliceBlobSupport);
        Assert.That(cache.FastCdc2020Params, Is.EqualTo(new FastCdc2020Params { AvgChunkSizeBytes = 512 << 10 }));
        Assert.That(cache.RepMaxCdcParams, Is.EqualTo(new RepMaxCdcParams { MinChunkSizeBytes = 256 << 10, HorizonSizeBytes = 8 * 256 << 10 }));
    }

    [Test] // REAPI K3, D3
    public async Task The_single_digest_function_is_SHA256_and_stands_in_both_lists()
    {
        var answer = await AskAsync();

        Assert.That(answer.ExecutionCapabilities.DigestFunction, Is.EqualTo(WireDigestFunction.Sha256));
        Assert.That(answer.ExecutionCapabilities.DigestFunctions, Does.Contain(WireDigestFunction.Sha256));
        Assert.That(answer.CacheCapabilities.DigestFunctions, Is.EquivalentTo(answer.ExecutionCapabilities.DigestFunctions));
        Assert.That(answer.CacheCapabilities.DigestFunctions, Does.Not.Contain(WireDigestFunction.Unknown));
    }

    [Test] // REAPI K3, D4: old clients compare the single field with their own function
    public async Task A_farm_whose_clients_never_name_BLAKE3_is_served_in_it()
    {
        await RestartAsync(Options with { UnnamedDigestFunction = DigestFunction.Blake3 });
        byte[] data = [.. Enumerable.Range(0, 3000).Select(i => (byte)i)];
        var digest = Digest.Of(DigestFunction.Blake3, data);
        var wire = digest.ToWire();

        Assert.That((await AskAsync()).ExecutionCapabilities.DigestFunction, Is.EqualTo(WireDigestFunction.Blake3));
        Assert.That((await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { BlobDigests = { wire } })).MissingBlobDigests, Is.EqualTo([wire]));
        var stored = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = wire, Data = ByteString.CopyFrom(data) } } });
        Assert.That(stored.Responses.Single().Status.Code, Is.Zero, stored.Responses.Single().Status.Message);
        using var read = Bytes.Read(new ReadRequest { ResourceName = $"blobs/{digest.Hash}/{digest.SizeBytes}" }, cancellationToken: Soon);
        Assert.That(await read.ResponseStream.MoveNext(Soon));
        Assert.That(read.ResponseStream.Current.Data.ToByteArray(), Is.EqualTo(data));

        // Who says SHA-256 is believed.
        var other = Digest.Of(DigestFunction.Sha256, data).ToWire();
        var named = await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { DigestFunction = WireDigestFunction.Sha256, BlobDigests = { other } });
        Assert.That(named.MissingBlobDigests, Is.EqualTo([other]));
    }

    [TestCase(WireDigestFunction.Vso)]
    [TestCase(WireDigestFunction.Murmur3)] // no safe name for anything
    public async Task A_function_that_is_not_served_is_refused_by_its_name(WireDigestFunction function)
    {
        var request = new FindMissingBlobsRequest { DigestFunction = function, BlobDigests = { new WireDigest { Hash = new string('a', 32), SizeBytes = 1 } } };

        var refused = Assert.ThrowsAsync<RpcException>(async () => await Cas.FindMissingBlobsAsync(request))!;
        Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refused.Status.Detail, Does.Contain(function.ToString().ToUpperInvariant()));
        Assert.That((await AskAsync()).CacheCapabilities.DigestFunctions, Does.Not.Contain(function));
    }

    [Test] // REAPI K4: what is listed is read and written; siso looks at the first only, and identity needs no announcing
    public async Task F18_the_compressors_are_those_beyond_identity()
    {
        var cache = (await AskAsync()).CacheCapabilities;

        Assert.That(cache.SupportedCompressors, Is.EqualTo(new[] { WireCompressor.Zstd }));
        Assert.That(cache.SupportedBatchUpdateCompressors, Is.EqualTo(cache.SupportedCompressors));
    }

    [TestCase(0)] // REAPI A6, E11
    [TestCase(-100)]
    [TestCase(int.MaxValue)]
    public async Task Every_priority_is_in_the_announced_range(int priority)
    {
        var answer = await AskAsync();

        foreach (var capability in new[] { answer.CacheCapabilities.CachePriorityCapabilities, answer.ExecutionCapabilities.ExecutionPriorityCapabilities })
            Assert.That(capability.Priorities.Any(range => range.MinPriority <= priority && priority <= range.MaxPriority));
    }

    [Test] // REAPI A6
    public async Task The_priorities_of_results_are_told_apart_by_their_sign_and_none_is_left_out()
    {
        var ranges = (await AskAsync()).CacheCapabilities.CachePriorityCapabilities.Priorities.Select(range => (range.MinPriority, range.MaxPriority));

        Assert.That(ranges, Is.EqualTo(new[] { (int.MinValue, -1), (0, 0), (1, int.MaxValue) }));
    }

    [Test] // REAPI A3, K3
    public async Task What_is_switched_off_is_not_announced()
    {
        await RestartAsync(new ServicesOptions { ExecutionEnabled = false, ActionCacheUpdateEnabled = false });

        var answer = await AskAsync();

        Assert.That(answer.ExecutionCapabilities, Is.Null);
        Assert.That(answer.CacheCapabilities.ActionCacheUpdateCapabilities.UpdateEnabled, Is.False);
    }

    [Test] // REAPI G2
    public async Task An_instance_name_may_have_slashes_but_no_keyword()
    {
        Assert.That(await AskAsync("a/b/c"), Is.Not.Null);
        Assert.That(await CodeOf(() => AskAsync("a/blobs/c")), Is.EqualTo(StatusCode.InvalidArgument));
    }
}
