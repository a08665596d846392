using Google.Rpc;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Services.Tests.Protocol;

internal sealed class RpcErrorsTests
{
    [Test] // REAPI E2
    public void Missing_blobs_are_named_as_resource_names_write_them()
    {
        Digest sha = Digest.Of(DigestFunction.Sha256, "x"u8), blake = Digest.Of(DigestFunction.Blake3, "x"u8);

        var status = RpcErrors.MissingBlobs([sha, blake]).ToStatus();

        Assert.That((StatusCode)status.Code, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(status.Details.Single().Unpack<PreconditionFailure>().Violations, Is.EqualTo(new[]
        {
            new PreconditionFailure.Types.Violation { Type = "MISSING", Subject = $"blobs/{sha.Hash}/1" },
            new PreconditionFailure.Types.Violation { Type = "MISSING", Subject = $"blobs/blake3/{blake.Hash}/1" },
        }));
    }

    [Test] // grpc-java refuses headers above 8 KiB
    public void A_trailer_stays_small_and_says_what_it_leaves_out()
    {
        var many = Enumerable.Range(0, 1000).Select(number => Digest.Of(DigestFunction.Sha256, BitConverter.GetBytes(number))).ToArray();

        var failure = RpcErrors.MissingBlobs(many);

        Assert.That(failure.Trailers.GetValueBytes(RpcErrors.DetailsTrailer), Has.Length.InRange(1000, 6 * 1024));
        Assert.That(failure.Status.Detail, Does.StartWith("1000 blobs are missing, "));
        Assert.That(RpcErrors.FitsTrailer(many), Is.False);
        Assert.That(RpcErrors.FitsTrailer(many[..10]), Is.True);
        Assert.That(RpcErrors.MissingBlobsStatus(many).Details.Single().Unpack<PreconditionFailure>().Violations, Has.Count.EqualTo(1000));
    }

    [Test] // what every client sends is quoted somewhere
    public void However_long_and_whatever_a_text_is_its_trailers_stay_below_8_KiB_and_are_one_line()
    {
        string hostile = "\u202e\n" + new string('字', 10_000);

        foreach (var failure in (RpcException[])[RpcErrors.InvalidField(hostile, hostile), RpcErrors.NotFound(hostile, hostile), RpcErrors.Exhausted(hostile)])
        {
            Assert.That(failure.Status.Detail, Does.StartWith("\\u202e\\u000a字").And.EndsWith("…"));
            Assert.That(failure.Trailers.GetValueBytes(RpcErrors.DetailsTrailer), Has.Length.LessThan(3 * 1024));
            Assert.That(System.Text.Encoding.UTF8.GetByteCount(failure.Status.Detail) * 3, Is.LessThan(2 * 1024));
        }
    }

    [Test]
    public void A_failure_survives_the_way_into_a_message_and_back()
    {
        var failure = RpcErrors.NotFound("blob", "name");

        var back = failure.ToStatus().ToException();

        Assert.That((back.StatusCode, back.Status.Detail), Is.EqualTo((StatusCode.NotFound, failure.Status.Detail)));
        Assert.That(back.ToStatus(), Is.EqualTo(failure.ToStatus()));
    }

    [Test]
    public void A_trailer_that_is_no_status_leaves_code_and_sentence()
    {
        var strange = new RpcException(
            new Grpc.Core.Status(StatusCode.Aborted, "why"), new Metadata { { RpcErrors.DetailsTrailer, [0xff, 0xff] } });

        Assert.That(strange.ToStatus(), Is.EqualTo(new RpcStatus { Code = (int)StatusCode.Aborted, Message = "why" }));
    }

    [Test] // REAPI G1
    public void Passing_failures_say_when_to_come_back()
    {
        Assert.That(RpcErrors.Unavailable("x").ToStatus().Details.Single().Is(RetryInfo.Descriptor));
        Assert.That(RpcErrors.Exhausted("x").ToStatus().Details.Single().Is(RetryInfo.Descriptor));
    }
}
