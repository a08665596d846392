using System.Net.Sockets;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>
/// A server that leaves. What it has not looked at (RFC 9113 sections 6.8 and 8.7) is sent again, under any policy; what it may have
/// worked on is lost to a channel that never retries, as one for calls that must not happen twice is set up.
/// </summary>
public sealed class ClientGoAwayTests : ClientWireFixture
{
    [Test]
    public async Task A_call_that_the_server_has_not_looked_at_goes_to_the_next_connection()
    {
        using var call = Unary();
        using var leaving = await Http2Peer.AcceptAsync(Listener);
        await ReadCallAsync(leaving);
        await leaving.SendGoAwayAsync(lastStreamId: 0, Http2Error.NoError);

        using var next = await Http2Peer.AcceptAsync(Listener);
        await AnswerAsync(next, (await ReadCallAsync(next)).StreamId);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [Test]
    public async Task A_refused_stream_is_sent_again()
    {
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        await server.SendResetAsync((await ReadCallAsync(server)).StreamId, Http2Error.RefusedStream);

        await AnswerAsync(server, (await ReadCallAsync(server)).StreamId);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [TestCase((int)Http2Error.NoError, StatusCode.Unavailable)]
    [TestCase((int)Http2Error.InternalError, StatusCode.Unavailable)]
    [TestCase((int)Http2Error.EnhanceYourCalm, StatusCode.ResourceExhausted)]
    public async Task A_connection_that_is_closed_under_a_running_call_fails_it_once(int error, StatusCode expected)
    {
        using var call = Unary();
        using (var leaving = await Http2Peer.AcceptAsync(Listener))
        {
            int stream = (await ReadCallAsync(leaving)).StreamId;
            await leaving.SendGoAwayAsync(lastStreamId: stream, (Http2Error)error);
        }

        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(expected));
        Assert.That(Listener.Poll(0, SelectMode.SelectRead), Is.False, "the server may have done it: only its caller knows whether to ask again");
    }

    [Test]
    public async Task Broken_framing_by_the_server_loses_its_connection()
    {
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        await ReadCallAsync(server);
        await server.SendAsync(Http2FrameType.Data, 0, streamId: 0, [0]); // DATA belongs to a stream
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_connection_that_is_lost_in_mid_stream_is_unavailable()
    {
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await server.SendDataAsync(stream, false, FramedHi);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);

        await server.SendAsync(Http2FrameType.Data, 0, streamId: 0, [0]); // DATA belongs to a stream
        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [TestCase((int)Http2Error.EnhanceYourCalm, StatusCode.ResourceExhausted)]
    [TestCase((int)Http2Error.Cancel, StatusCode.Cancelled)]
    [TestCase((int)Http2Error.InternalError, StatusCode.Internal)]
    public async Task A_reset_of_one_stream_keeps_the_status_of_its_code(int error, StatusCode expected)
    {
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await server.SendResetAsync(stream, (Http2Error)error);
        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(expected));
    }

    [Test]
    public async Task A_server_that_accepts_and_never_greets_is_unavailable()
    {
        // https: the time to connect includes the handshake, of which this server does nothing.
        using var channel = RpcChannels.Create(new Uri($"https://{Listener.LocalEndPoint}"), new RpcChannelOptions
        {
            AttemptsMax = 1,
            ConnectTimeout = TimeSpan.FromMilliseconds(1),
        });
        var call = channel.CreateCallInvoker().AsyncUnaryCall(EchoService.UnaryMethod, null, default, "hi");
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }
}
