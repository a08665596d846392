using System.Net.Sockets;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A server that stops, as its clients see it.</summary>
public sealed class ServerDrainTests : ServerWireFixture
{
    [Test]
    public async Task A_drain_says_goaway_finishes_what_runs_and_takes_nothing_new()
    {
        var isRunning = NewEvent();
        var mayFinish = NewEvent();
        Echo.Unary = async (request, _) =>
        {
            isRunning.SetResult();
            await mayFinish.Task;
            return request;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await isRunning.Task;

        var stopped = Server.StopAsync(CancellationToken.None);
        var goAway = await peer.ReadAsync();
        Assert.That(goAway.Type, Is.EqualTo(Http2FrameType.GoAway));
        Assert.That(goAway.Payload[4..8], Is.EqualTo(new byte[] { 0, 0, 0, (byte)Http2Error.NoError }));
        Assert.That(Server.Draining.IsCancellationRequested);
        Assert.That(stopped.IsCompleted, Is.False);
        using (var late = new Socket(SocketType.Stream, ProtocolType.Tcp))
            Assert.That(async () => await late.ConnectAsync(Server.EndPoint), Throws.InstanceOf<SocketException>());

        mayFinish.SetResult();
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.OK);
        Assert.That(answer.Data, Is.EqualTo(FramedHi));
        await stopped.WaitAsync(Patience);
    }

    [Test]
    public async Task A_drain_cuts_off_what_does_not_finish_in_time()
    {
        var isRunning = NewEvent();
        var isCancelled = NewEvent();
        Echo.Duplex = (_, _, context) =>
        {
            context.CancellationToken.Register(isCancelled.SetResult);
            isRunning.SetResult();
            return isCancelled.Task;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await isRunning.Task;
        var stopped = Server.StopAsync(CancellationToken.None);
        await Time.WaitForTimerAsync(new RpcServerOptions().DrainMax);
        Time.Advance(new RpcServerOptions().DrainMax);
        await isCancelled.Task.WaitAsync(Patience);
        await stopped.WaitAsync(Patience);
    }

    [Test]
    public async Task A_call_that_crosses_the_goaway_is_served_or_refused_and_never_left_alone()
    {
        var isRunning = NewEvent();
        var mayFinish = NewEvent();
        Echo.Duplex = (_, _, _) =>
        {
            isRunning.SetResult();
            return mayFinish.Task;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await isRunning.Task;
        var stopped = Server.StopAsync(CancellationToken.None);
        var goAway = await peer.ReadAsync(frame => frame.Type == Http2FrameType.GoAway);

        // The client has not seen the GOAWAY yet, whose last stream is what the server promises to look at.
        int lastStreamId = System.Buffers.Binary.BinaryPrimitives.ReadInt32BigEndian(goAway.Payload);
        await peer.StartCallAsync(3, UnaryPath);
        await peer.SendDataAsync(3, isEnd: true, FramedHi);
        if (lastStreamId >= 3)
        {
            var answer = await peer.ReadAnswerAsync(3);
            if (answer.Reset is null) Assert.That(answer.Data, Is.EqualTo(FramedHi));
            else Assert.That(answer.Reset, Is.EqualTo(Http2Error.RefusedStream));
        }

        mayFinish.SetResult();
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.OK);
        await stopped.WaitAsync(Patience);
    }

    [Test]
    public async Task A_drain_does_not_wait_for_connections_without_calls()
    {
        using var idle = await ConnectAsync();
        await AssertServesAsync(idle, 1);
        await idle.PingAsync(); // a socket that is closed with bytes unread would take the GOAWAY with it
        using var silent = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await silent.ConnectAsync(Server.EndPoint);

        await Server.StopAsync(CancellationToken.None).WaitAsync(Patience); // the clock stands still: no limit passes
        Assert.That(await idle.ReadToEndAsync(), Has.Some.Matches<Http2Frame>(frame => frame.Type == Http2FrameType.GoAway));
    }

    [Test]
    public async Task A_server_may_be_stopped_twice_and_before_it_was_started()
    {
        await using var idle = new RpcServer(new RpcServerOptions());
        await idle.StopAsync(CancellationToken.None);
        await Server.StopAsync(CancellationToken.None);
        await Server.StopAsync(CancellationToken.None);
    }
}
