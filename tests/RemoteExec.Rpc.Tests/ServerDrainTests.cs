using System.Net.Sockets;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A server that stops, as its clients see it.</summary>
public sealed class ServerDrainTests : ServerWireFixture
{
    [Test]
    public async Task Closing_says_goaway_and_lets_finish_what_runs()
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

        var stopped = Server.Port.CloseConnectionsAsync(CancellationToken.None);
        var goAway = await peer.ReadAsync();
        Assert.That(goAway.Type, Is.EqualTo(Http2FrameType.GoAway));
        Assert.That(goAway.Payload[4..8], Is.EqualTo(new byte[] { 0, 0, 0, (byte)Http2Error.NoError }));
        Assert.That(stopped.IsCompleted, Is.False);

        mayFinish.SetResult();
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.OK);
        Assert.That(answer.Data, Is.EqualTo(FramedHi));
        await stopped.WaitAsync(Patience);
    }

    [Test]
    public async Task What_does_not_finish_in_time_is_cut_off()
    {
        var isRunning = NewEvent();
        var isCancelled = NewEvent();
        Echo.Unary = async (request, context) =>
        {
            context.CancellationToken.Register(isCancelled.SetResult);
            isRunning.SetResult();
            await isCancelled.Task;
            return request;
        };
        using var limit = new CancellationTokenSource();
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await isRunning.Task;
        var closed = Server.Port.CloseConnectionsAsync(limit.Token);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.GoAway);
        Assert.That(closed.IsCompleted, Is.False);

        await limit.CancelAsync();

        await closed.WaitAsync(Patience);
        await isCancelled.Task.WaitAsync(Patience);
        Assert.That(await peer.ReadToEndAsync(), Has.None.Matches<Http2Frame>(frame => frame.Type == Http2FrameType.Data));
    }

    [Test]
    public async Task A_connection_that_comes_late_is_closed_at_once()
    {
        await Server.Port.CloseConnectionsAsync(CancellationToken.None);
        using var late = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await late.ConnectAsync(Server.EndPoint);
        Assert.That(await late.ReceiveAsync(new byte[1]).WaitAsync(Patience), Is.Zero);
    }

    [TestCase(DuplexPath, TestName = "A_stream_without_an_end_of_its_own_ends_with_the_server_though_its_handler_waits")]
    [TestCase(ServerStreamingPath, TestName = "A_stream_whose_handler_takes_the_end_for_its_clients_leaving_is_told_so_too")]
    public async Task A_stream_without_an_end_of_its_own_ends_with_the_server(string path)
    {
        Echo.ServerStreaming = async (_, responses, context) =>
        {
            var isOver = NewEvent();
            context.CancellationToken.Register(isOver.SetResult);
            await responses.WriteAsync("one");
            await isOver.Task;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, path);
        await peer.SendDataAsync(1, isEnd: path == ServerStreamingPath, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);

        Server.Port.EndStreams();

        var trailers = await peer.ReadAsync(frame => frame is { Type: Http2FrameType.Headers, IsEndStream: true });
        Assert.That(Hpack.Decode(trailers.Payload), Does.Contain(("grpc-status", "14")).And.Contain(("grpc-message", "going")));
        await peer.StartCallAsync(3, path);
        await peer.SendDataAsync(3, isEnd: true, FramedHi);
        AssertStatus(await peer.ReadAnswerAsync(3), StatusCode.Unavailable);
        await AssertServesAsync(peer, 5);
        Assert.That(Log.RpcErrors, Is.Empty);
    }

    [Test]
    public async Task A_stream_that_fails_at_its_end_keeps_no_other_from_ending()
    {
        using var peer = await ConnectAsync();
        var bug = new InvalidTimeZoneException("odd");
        int handlers = 0;
        Echo.Duplex = async (requests, responses, context) =>
        {
            if (Interlocked.Increment(ref handlers) == 2) context.CancellationToken.Register(() => throw bug);
            await responses.WriteAsync("here");
            await requests.MoveNext();
        };
        for (int stream = 1; stream <= 5; stream += 2)
        {
            await peer.StartCallAsync(stream, DuplexPath);
            await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data && frame.StreamId == stream);
        }

        Assert.DoesNotThrow(Server.Port.EndStreams);

        for (int stream = 1; stream <= 5; stream += 2)
        {
            var trailers = await peer.ReadAsync(frame => frame is { Type: Http2FrameType.Headers, IsEndStream: true } && frame.StreamId == stream);
            Assert.That(Hpack.Decode(trailers.Payload), Does.Contain(("grpc-status", "14")));
        }

        Assert.That(((AggregateException)Log.RpcErrors.Single()!).Flatten().InnerExceptions, Is.EqualTo(new[] { bug }));
    }

    [Test]
    public async Task A_call_that_crosses_the_goaway_is_served_or_refused_and_never_left_alone()
    {
        var isRunning = NewEvent();
        var mayFinish = NewEvent();
        Echo.ClientStreaming = async (_, _) =>
        {
            isRunning.SetResult();
            await mayFinish.Task;
            return "";
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, ClientStreamingPath);
        await isRunning.Task;
        var stopped = Server.Port.CloseConnectionsAsync(CancellationToken.None);
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

        await Server.Port.CloseConnectionsAsync(CancellationToken.None).WaitAsync(Patience); // the clock stands still: no limit passes
        Assert.That(await idle.ReadToEndAsync(), Has.Some.Matches<Http2Frame>(frame => frame.Type == Http2FrameType.GoAway));
    }

    protected override RpcServerOptions Configure(RpcServerOptions options) => base.Configure(options) with
    {
        Leaving = () => new RpcException(new Status(StatusCode.Unavailable, "going")),
    };

    internal override void AddMethods(RpcMethods methods)
    {
        methods.Add<ServerDrainTests>(
            new RpcLimits { EndsWithServer = true }, Echo.Bind, EchoService.DuplexMethod.Name, EchoService.ServerStreamingMethod.Name);
        base.AddMethods(methods);
    }
}
