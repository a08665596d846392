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

    [Test]
    public async Task A_stream_of_which_nothing_was_sent_goes_to_the_next_connection_with_all_its_messages()
    {
        using var call = Duplex();
        using var leaving = await Http2Peer.AcceptAsync(Listener);
        await ReadCallAsync(leaving);
        await leaving.SendGoAwayAsync(lastStreamId: 0, Http2Error.NoError);

        using var next = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(next)).StreamId;
        await SendResponseHeadersAsync(next, stream); // until here the client may still be changing over
        await call.ResponseHeadersAsync.WaitAsync(Patience);
        await call.RequestStream.WriteAsync("hi");
        Assert.That((await next.ReadAsync(frame => frame.Type == Http2FrameType.Data)).Payload, Is.EqualTo(FramedHi));
    }

    [Test]
    public async Task A_stream_that_has_sent_a_message_fails_rather_than_lose_it()
    {
        using var call = Duplex();
        using var leaving = await Http2Peer.AcceptAsync(Listener);
        await ReadCallAsync(leaving);
        await call.RequestStream.WriteAsync("hi");
        await leaving.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        var read = call.ResponseStream.MoveNext();
        await leaving.SendGoAwayAsync(lastStreamId: 0, Http2Error.NoError);

        // .NET's handler tries again by itself, on a connection that it may get.
        using var next = await Http2Peer.AcceptAsync(Listener);
        Assert.That((await FailureOf(read)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
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
    public async Task A_channel_that_shuts_down_fails_what_runs_and_what_comes_later()
    {
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await call.ResponseHeadersAsync;
        var read = call.ResponseStream.MoveNext();

        await Channel.ShutdownAsync();
        Assert.That((await FailureOf(read)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
        using var late = Unary();
        Assert.That((await FailureOf(late.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_server_that_accepts_and_never_greets_is_unavailable()
    {
        // https: the time to connect includes the handshake, of which this server does nothing.
        using var channel = new RpcChannel(new Uri($"https://{Listener.LocalEndPoint}"), new RpcChannelOptions
        {
            Retry = RetryPolicy.None,
            ConnectTimeout = TimeSpan.FromMilliseconds(1),
        });
        var call = channel.CreateCallInvoker().AsyncUnaryCall(EchoService.UnaryMethod, null, default, "hi");
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }
}
