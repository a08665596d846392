using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

public sealed class StatusTests : EchoFixture
{
    [TestCase("plain")]
    [TestCase("100 % of it\nsecond line\tß – 日本 😀")]
    public async Task A_refusal_arrives_with_its_code_and_every_character_of_its_sentence(string detail)
    {
        Echo.Unary = (_, _) => throw new RpcException(new Status(StatusCode.FailedPrecondition, detail));
        var failure = await FailureOf(Unary("").ResponseAsync);
        Assert.That(failure.Status.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(failure.Status.Detail, Is.EqualTo(detail));
    }

    [Test]
    public async Task Details_and_trailers_of_a_refusal_arrive()
    {
        byte[] details = [0, 1, 2, 0xFF];
        Echo.Unary = (_, context) =>
        {
            context.ResponseTrailers.Add("cost", "7");
            throw new RpcException(new Status(StatusCode.NotFound, "no"), new Metadata { { "details-bin", details } });
        };
        var failure = await FailureOf(Unary("").ResponseAsync);
        Assert.That(failure.Trailers.GetValueBytes("details-bin"), Is.EqualTo(details));
        Assert.That(failure.Trailers.GetValue("cost"), Is.EqualTo("7"));
    }

    [Test]
    public async Task An_unexpected_exception_is_internal_logged_and_keeps_its_text_to_itself()
    {
        var bug = new InvalidOperationException("secret path /etc/shadow");
        Echo.Unary = (_, _) => throw bug;
        var failure = await FailureOf(Unary("").ResponseAsync);
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Internal));
        Assert.That(failure.Status.Detail, Does.Not.Contain("secret"));
        Assert.That(Log.RpcErrors, Is.EqualTo(new[] { bug }));
    }

    [Test]
    public async Task A_handler_may_answer_and_still_set_a_status_of_its_own()
    {
        Echo.ServerStreaming = async (_, responses, context) =>
        {
            await responses.WriteAsync("partial");
            context.Status = new Status(StatusCode.Aborted, "enough");
        };
        using var call = ServerStreaming("");
        await call.ResponseStream.MoveNext();
        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(StatusCode.Aborted));
    }

    [Test]
    public async Task A_server_that_cannot_be_reached_is_unavailable()
    {
        await Server.DisposeAsync();
        using var channel = RpcChannels.Create(new Uri($"http://{Channel.Target}"), new RpcChannelOptions { AttemptsMax = 1 });
        var call = channel.CreateCallInvoker().AsyncUnaryCall(EchoService.UnaryMethod, null, default, "");
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }
}
