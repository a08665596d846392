using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>
/// Pings are timed by .NET's handler, whose clock no test can move and whose shortest times are one second: these
/// tests await the frames themselves, however long they take.
/// </summary>
public sealed class ClientKeepAliveTests : ClientWireFixture
{
    // What the clock of .NET's handler allows at least.
    private static readonly TimeSpan Shortest = TimeSpan.FromSeconds(1);

    protected override RpcChannelOptions Configure(RpcChannelOptions options) => options with
    {
        KeepAlivePingDelay = Shortest,
        KeepAlivePingTimeout = IsAnswerWaitedFor ? TimeSpan.FromMinutes(5) : Shortest,
        AttemptsMax = 2,
    };

    private static bool IsAnswerWaitedFor => TestContext.CurrentContext.Test.MethodName == nameof(A_server_that_answers_its_pings_may_be_silent_for_long);

    [Test]
    public async Task A_server_that_does_not_answer_a_ping_fails_the_stream_with_unavailable()
    {
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        server.AnswersPings = false;
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await call.ResponseHeadersAsync;
        var next = call.ResponseStream.MoveNext();

        await server.ReadAsync(IsPing);

        Assert.That((await FailureOf(next)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_call_without_an_answer_leaves_a_server_that_does_not_answer_a_ping()
    {
        using var call = Unary();
        using var silent = await Http2Peer.AcceptAsync(Listener);
        silent.AnswersPings = false;
        await ReadCallAsync(silent);
        await silent.ReadAsync(IsPing);

        using var next = await Http2Peer.AcceptAsync(Listener);
        await AnswerAsync(next, (await ReadCallAsync(next)).StreamId);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [Test]
    public async Task A_server_that_answers_its_pings_may_be_silent_for_long()
    {
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        server.AnswersPings = false;
        int stream = (await ReadCallAsync(server)).StreamId;
        for (int i = 0; i < 2; i++)
            await server.SendAsync(Http2FrameType.Ping, Http2Frame.Ack, 0, (await server.ReadAsync(IsPing)).Payload);

        await AnswerAsync(server, stream);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    private static bool IsPing(Http2Frame frame) => frame.Type == Http2FrameType.Ping && (frame.Flags & Http2Frame.Ack) == 0;
}
