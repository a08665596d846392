using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A client's deadline, on its own side and on the wire.</summary>
public sealed class ClientDeadlineTests : ClientWireFixture
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    private CallOptions InTime => new(Deadline: (Time.GetUtcNow() + Limit).UtcDateTime);

    [Test]
    public async Task The_time_that_is_left_travels_in_the_headers()
    {
        using var call = Unary(InTime);
        using var server = await Http2Peer.AcceptAsync(Listener);
        Assert.That(Hpack.Decode((await ReadCallAsync(server)).Payload), Does.Contain(("grpc-timeout", "5000000u")));
    }

    [Test]
    public async Task A_deadline_that_passes_before_any_answer_fails_the_call_and_resets_its_stream()
    {
        using var call = Unary(InTime);
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;

        Time.Advance(Limit - TimeSpan.FromTicks(1));
        Assert.That(call.ResponseAsync.IsCompleted, Is.False);
        Time.Advance(TimeSpan.FromTicks(1));

        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(call.GetStatus().StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task A_deadline_that_passes_in_mid_stream_fails_the_read_that_waits_and_resets_the_stream()
    {
        using var call = ServerStreaming(InTime);
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await server.SendDataAsync(stream, false, FramedHi);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);

        var next = call.ResponseStream.MoveNext();
        Time.Advance(Limit);

        Assert.That((await FailureOf(next)).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task A_deadline_that_passes_while_nobody_reads_resets_the_stream_and_is_told_to_the_next_reader()
    {
        using var call = ServerStreaming(InTime);
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await SendResponseHeadersAsync(server, stream);
        await call.ResponseHeadersAsync;

        Time.Advance(Limit);

        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
        Assert.That((await FailureOf(call.ResponseStream.MoveNext())).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
    }

    [Test]
    public async Task A_deadline_ends_a_write_that_waits_for_the_servers_window()
    {
        using var call = Duplex(InTime);
        using var server = await Http2Peer.AcceptAsync(Listener, (0x4, 4)); // INITIAL_WINDOW_SIZE
        int stream = (await ReadCallAsync(server)).StreamId;
        await server.PingAsync(); // the client knows the window
        var write = call.RequestStream.WriteAsync("hi");
        var data = await server.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        Assert.That(data.Payload, Is.EqualTo(FramedHi[..4]));
        var read = call.ResponseStream.MoveNext();

        Time.Advance(Limit);

        Assert.That((await FailureOf(read)).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That((await FailureOf(write)).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded).Or.EqualTo(StatusCode.Cancelled));
        Assert.That(await server.ReadResetAsync(stream), Is.EqualTo(Http2Error.Cancel));
    }

    [Test]
    public async Task A_deadline_that_has_passed_already_sends_nothing()
    {
        Time.Advance(Limit);
        using var call = Unary(new CallOptions(Deadline: (Time.GetUtcNow() - Limit).UtcDateTime));
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(Listener.Poll(0, System.Net.Sockets.SelectMode.SelectRead), Is.False, "no connection was made");
    }
}
