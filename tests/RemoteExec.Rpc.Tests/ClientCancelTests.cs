using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A client that changes its mind, as the server sees it.</summary>
public sealed class ClientCancelTests : ClientWireFixture
{
    [Test]
    public async Task Giving_up_a_call_resets_its_stream_with_cancel()
    {
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await server.SendDataAsync(stream, false, FramedHi);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);

        call.Dispose();
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task Cancelling_a_call_without_an_answer_resets_its_stream_with_cancel()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = Unary(new CallOptions(CancellationToken: cancellation.Token));
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;

        await cancellation.CancelAsync();
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Cancelled));
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task Cancelling_a_read_cancels_the_call()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        var read = call.ResponseStream.MoveNext(cancellation.Token);

        await cancellation.CancelAsync();
        Assert.That((await FailureOf(read)).StatusCode, Is.EqualTo(StatusCode.Cancelled));
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task Cancelling_a_write_that_has_sent_half_a_message_cancels_the_call()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = Duplex();
        using var server = await Http2Peer.AcceptAsync(Listener, (0x4, 4)); // INITIAL_WINDOW_SIZE
        int stream = (await ReadCallAsync(server)).StreamId;
        await server.PingAsync(); // the client knows the window
        var write = call.RequestStream.WriteAsync("hi", cancellation.Token);
        var half = await server.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        Assert.That(half.Payload, Is.EqualTo(FramedHi[..4]));

        await cancellation.CancelAsync();
        Assert.That(async () => await write, Throws.InstanceOf<OperationCanceledException>());
        // Going on would put the next message behind half of this one.
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(StatusCode.Cancelled));
    }

    [Test]
    public async Task An_answer_that_is_too_large_is_refused_when_it_is_announced()
    {
        using var call = ServerStreaming();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await server.SendDataAsync(stream, false, 0, 0x7F, 0xFF, 0xFF, 0xFF); // 2 GiB, of which not one byte follows
        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }
}
