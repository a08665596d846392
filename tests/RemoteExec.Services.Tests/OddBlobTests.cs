using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using static Build.Bazel.Remote.Execution.V2.BatchUpdateBlobsRequest.Types;

namespace RemoteExec.Services.Tests;

/// <summary>One blob that fails in a way that nobody has foreseen.</summary>
internal sealed class OddBlobTests : ServicesFixture
{
    private static readonly Digest Odd = DigestOf("odd");

    protected override IBlobStore Served => new OddStore(Store, Odd);

    [Test]
    public async Task An_upload_that_fails_unexpectedly_is_INTERNAL_and_the_others_of_its_batch_are_stored()
    {
        var response = await Cas.BatchUpdateBlobsAsync(new BatchUpdateBlobsRequest { Requests = { Of("one"), Of("odd"), Of("two") } });

        Assert.That(
            response.Responses.Select(answer => (StatusCode)answer.Status.Code), Is.EqualTo(new[] { StatusCode.OK, StatusCode.Internal, StatusCode.OK }));
        Assert.That(response.Responses[1].Status.Message, Does.Not.Contain("path"));
        Assert.That(await IsStoredAsync(DigestOf("one")) && await IsStoredAsync(DigestOf("two")));
    }

    [Test]
    public async Task A_read_that_fails_unexpectedly_is_INTERNAL_and_the_others_of_its_batch_are_answered()
    {
        await StoreAsync("one");
        await StoreAsync("odd");

        var response = await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { Digests = { DigestOf("odd").ToWire(), DigestOf("one").ToWire() } });

        Assert.That(response.Responses.Select(answer => (StatusCode)answer.Status.Code), Is.EqualTo(new[] { StatusCode.Internal, StatusCode.OK }));
        Assert.That(response.Responses[0].Status.Message, Does.Not.Contain("path"));
        Assert.That(response.Responses[1].Data.ToStringUtf8(), Is.EqualTo("one"));
    }

    [Test] // REAPI A2: the server MAY omit inlining
    public async Task A_result_whose_output_cannot_be_read_is_answered_without_its_contents()
    {
        var action = DigestOf("an action");
        var result = new ActionResult { StdoutDigest = (await StoreAsync("odd")).ToWire(), StderrDigest = (await StoreAsync("one")).ToWire() };
        await Cache.PutAsync(new ActionCacheKey(default, action), result, Soon);

        var answer = await ActionCache.GetActionResultAsync(
            new GetActionResultRequest { ActionDigest = action.ToWire(), InlineStdout = true, InlineStderr = true });

        Assert.That((answer.StdoutRaw.IsEmpty, answer.StderrRaw.ToStringUtf8()), Is.EqualTo((true, "one")));
        Assert.That(answer.StdoutDigest, Is.EqualTo(Odd.ToWire()));
    }

    private static Request Of(string data) => new() { Digest = DigestOf(data).ToWire(), Data = ByteString.CopyFromUtf8(data) };
}
