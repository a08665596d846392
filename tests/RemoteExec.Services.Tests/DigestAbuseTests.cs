using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Services.Tests;

/// <summary>TRUST 4.1, "digest lies", at every call that takes a digest: INVALID_ARGUMENT, whatever is behind the call.</summary>
internal sealed class DigestAbuseTests : ServicesFixture
{
    private const string Sound = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    private const string Other = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    private static IEnumerable<TestCaseData> Lies()
    {
        yield return new TestCaseData("", 0L).SetArgDisplayNames("no hash");
        yield return new TestCaseData(Other.ToUpperInvariant(), 3L).SetArgDisplayNames("upper case");
        yield return new TestCaseData(Other[1..], 3L).SetArgDisplayNames("63 digits");
        yield return new TestCaseData(Other + "0", 3L).SetArgDisplayNames("65 digits");
        yield return new TestCaseData("g" + Other[1..], 3L).SetArgDisplayNames("not hexadecimal");
        yield return new TestCaseData("é" + Other[1..], 3L).SetArgDisplayNames("not ASCII");
        yield return new TestCaseData(Other, -1L).SetArgDisplayNames("negative size");
        yield return new TestCaseData(Other, long.MinValue).SetArgDisplayNames("most negative size");
        yield return new TestCaseData(Sound, 1L).SetArgDisplayNames("empty hash with a size");
        yield return new TestCaseData(Other, 0L).SetArgDisplayNames("other hash without a size");
        yield return new TestCaseData(new string('a', 1_000_000), 1L).SetArgDisplayNames("a million digits");
    }

    [TestCaseSource(nameof(Lies))]
    public async Task A_lie_about_a_digest_is_INVALID_ARGUMENT_everywhere(string hash, long sizeBytes)
    {
        var digest = new WireDigest { Hash = hash, SizeBytes = sizeBytes };
        var calls = new Dictionary<string, Func<Task>>
        {
            ["FindMissingBlobs"] = async () => await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { BlobDigests = { digest } }),
            ["GetTree"] = async () => await Cas.GetTree(new GetTreeRequest { RootDigest = digest }).ResponseStream.MoveNext(Soon),
            ["GetActionResult"] = async () => await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = digest }),
            ["UpdateActionResult"] = async () => await ActionCache.UpdateActionResultAsync(
                new UpdateActionResultRequest { ActionDigest = digest, ActionResult = new ActionResult() }),
            ["Execute"] = async () => await Execution.Execute(new ExecuteRequest { ActionDigest = digest }).ResponseStream.MoveNext(Soon),
            ["ByteStream.Read"] = async () => await Bytes.Read(new ReadRequest { ResourceName = $"blobs/{hash}/{sizeBytes}" }).ResponseStream.MoveNext(Soon),
            ["QueryWriteStatus"] = async () => await Bytes.QueryWriteStatusAsync(
                new QueryWriteStatusRequest { ResourceName = $"uploads/u/blobs/{hash}/{sizeBytes}" }),
        };

        foreach (var (name, call) in calls)
            Assert.That(await CodeOf(call), Is.EqualTo(StatusCode.InvalidArgument), name);
        Assert.That(Store.Usage.Blobs, Is.Zero);
        Assert.That(Services.UnfinishedUploads, Is.Zero);
    }

    [Test] // in a batch each item has its own status, or the whole call is refused when nothing can be inferred
    public async Task Batches_refuse_lies_item_by_item()
    {
        var lie = new WireDigest { Hash = Other.ToUpperInvariant(), SizeBytes = 3 };
        var update = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = lie } } });
        var read = await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { lie } });

        Assert.That((StatusCode)update.Responses.Single().Status.Code, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That((StatusCode)read.Responses.Single().Status.Code, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [TestCase(WireDigestFunction.Vso)] // REAPI D3, E3
    [TestCase(WireDigestFunction.Murmur3)]
    [TestCase((WireDigestFunction)77)]
    public async Task A_function_that_is_not_announced_is_INVALID_ARGUMENT(WireDigestFunction function)
    {
        var digest = new WireDigest { Hash = Other, SizeBytes = 3 };

        Assert.That(
            await CodeOf(async () => await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { BlobDigests = { digest }, DigestFunction = function })),
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(
            await CodeOf(async () => await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = digest, DigestFunction = function })),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    [TestCase("blobs")] // REAPI G2
    [TestCase("a/uploads/b")]
    [TestCase("operations")]
    [TestCase("a\nb")]
    public async Task A_malformed_instance_name_is_INVALID_ARGUMENT_everywhere(string instance)
    {
        var digest = new WireDigest { Hash = Other, SizeBytes = 3 };
        Func<Task>[] calls =
        [
            async () => await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = instance, BlobDigests = { digest } }),
            async () => await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { InstanceName = instance, Digests = { digest } }),
            async () => await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { InstanceName = instance }),
            async () => await Cas.GetTree(new GetTreeRequest { InstanceName = instance, RootDigest = digest }).ResponseStream.MoveNext(Soon),
            async () => await ActionCache.GetActionResultAsync(new GetActionResultRequest { InstanceName = instance, ActionDigest = digest }),
            async () => await Execution.Execute(new ExecuteRequest { InstanceName = instance, ActionDigest = digest }).ResponseStream.MoveNext(Soon),
        ];

        foreach (var call in calls)
            Assert.That(await CodeOf(call), Is.EqualTo(StatusCode.InvalidArgument));
    }
}
