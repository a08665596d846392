using System.Net.Sockets;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>When a call is tried again, and when it must not be: the policy is ours, the trying is Grpc.Net.Client's.</summary>
public sealed class ClientRetryTests : ClientWireFixture
{
    // More than the package's own bound for what it may send twice.
    private static readonly string Batch = new('x', 3_000_000);

    protected override RpcChannelOptions Configure(RpcChannelOptions options) => options with { AttemptsMax = 3 };

    [Test]
    public async Task A_refusal_as_unavailable_is_tried_again_whole()
    {
        using var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, Batch);
        using var server = await Http2Peer.AcceptAsync(Listener, (0x4, 4_000_000)); // INITIAL_WINDOW_SIZE
        await server.SendAsync(Http2FrameType.WindowUpdate, 0, 0, [0, 0x70, 0, 0]);
        for (int attempt = 1; attempt <= 3; attempt++)
        {
            int stream = (await ReadCallAsync(server)).StreamId;
            await ReadRequestAsync(server, stream, Batch.Length);
            if (attempt < 3) await RefuseAsync(server, stream, StatusCode.Unavailable);
            else await AnswerAsync(server, stream);
        }

        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [Test]
    public async Task A_server_that_goes_on_refusing_fails_the_call_after_the_last_attempt()
    {
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        for (int attempt = 1; attempt <= 3; attempt++)
            await RefuseAsync(server, (await ReadCallAsync(server)).StreamId, StatusCode.Unavailable);
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [TestCase(StatusCode.NotFound)]
    [TestCase(StatusCode.Internal)]
    [TestCase(StatusCode.ResourceExhausted)]
    public async Task Another_refusal_is_not_tried_again(StatusCode code)
    {
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        await RefuseAsync(server, (await ReadCallAsync(server)).StreamId, code);
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(code));
    }

    [Test]
    public async Task A_connection_that_is_lost_behind_the_response_headers_is_not_tried_again()
    {
        using var call = ServerStreaming();
        using (var server = await Http2Peer.AcceptAsync(Listener))
        {
            await SendResponseHeadersAsync(server, (await ReadCallAsync(server)).StreamId);
            await call.ResponseHeadersAsync;
        }

        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(Listener.Poll(0, SelectMode.SelectRead), Is.False);
    }

    private static async Task ReadRequestAsync(Http2Peer server, int stream, int messageBytes)
    {
        for (int left = 5 + messageBytes; left > 0;)
            left -= (await server.ReadAsync(frame => frame.Type == Http2FrameType.Data && frame.StreamId == stream)).Payload.Length;
        // What a real server gives back as it reads.
        await server.SendAsync(Http2FrameType.WindowUpdate, 0, 0, [0, 0x30, 0, 0]);
    }
}
