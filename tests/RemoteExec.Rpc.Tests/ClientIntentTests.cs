using System.IO.Pipelines;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>What a client meant when it left, and what it had sent by then: from frames, of which Kestrel tells only that the call is over.</summary>
public sealed class ClientIntentTests : ServerWireFixture
{
    // More than any call of these tests takes: a call with a deadline of a minute is close to it from its first moment on.
    protected override RpcServerOptions Configure(RpcServerOptions options) => base.Configure(options) with { DeadlineSlack = TimeSpan.FromMinutes(1) };

    [Test]
    public async Task A_reset_that_says_CANCEL_is_a_cancellation()
    {
        var (peer, end) = await BeginAsync();
        using (peer)
        {
            await peer.SendResetAsync(1, Http2Error.Cancel);
            Assert.That(await end.WaitAsync(Patience), Is.True);
        }
    }

    [Test]
    public async Task It_is_one_also_when_the_connection_ends_right_behind_it()
    {
        var (peer, end) = await BeginAsync();
        await peer.SendResetAsync(1, Http2Error.Cancel);
        peer.Dispose();
        Assert.That(await end.WaitAsync(Patience), Is.True);
    }

    [Test]
    public async Task A_connection_that_is_lost_is_none()
    {
        var (peer, end) = await BeginAsync();
        peer.Dispose();
        Assert.That(await end.WaitAsync(Patience), Is.False);
    }

    [Test]
    public async Task A_client_that_says_goodbye_to_the_connection_has_cancelled_nothing()
    {
        var (peer, end) = await BeginAsync();
        await peer.SendGoAwayAsync(0, Http2Error.NoError);
        peer.Dispose();
        Assert.That(await end.WaitAsync(Patience), Is.False);
    }

    [Test]
    public async Task Neither_has_one_that_resets_for_another_reason()
    {
        var (peer, end) = await BeginAsync();
        using (peer)
        {
            await peer.SendResetAsync(1, Http2Error.InternalError);
            Assert.That(await end.WaitAsync(Patience), Is.False);
        }
    }

    [Test]
    public async Task Neither_has_one_whose_deadline_has_come()
    {
        var (peer, end) = await BeginAsync(("grpc-timeout", "1M")); // that its clock is before ours is what the slack is for
        using (peer)
        {
            await peer.SendResetAsync(1, Http2Error.Cancel);
            Assert.That(await end.WaitAsync(Patience), Is.False);
        }
    }

    [Test]
    public async Task The_reset_of_another_stream_says_nothing_of_this_one()
    {
        var (peer, end) = await BeginAsync();
        await peer.StartCallAsync(3, ServerStreamingPath);
        await peer.SendResetAsync(3, Http2Error.Cancel);
        peer.Dispose();
        Assert.That(await end.WaitAsync(Patience), Is.False);
    }

    [Test]
    public async Task F31_requests_that_arrived_whole_are_handled_though_the_connection_ends_right_behind_them()
    {
        const int calls = 10;
        int handled = 0;
        var isHandled = NewEvent();
        Echo.Unary = (request, _) =>
        {
            if (Interlocked.Increment(ref handled) == calls) isHandled.SetResult();
            return Task.FromResult(request);
        };

        using var peer = await ConnectAsync();
        for (int i = 0; i < calls; i++)
        {
            await peer.StartCallAsync(2 * i + 1, UnaryPath);
            await peer.SendDataAsync(2 * i + 1, isEnd: true, FramedHi);
        }

        peer.EndSending();
        await isHandled.Task.WaitAsync(Patience);
    }

    [Test]
    public async Task A_call_that_nobody_serves_is_not_waited_for()
    {
        ClientFrames? frames = null;
        Echo.Unary = (request, context) =>
        {
            frames = ClientFrames.Of(context.GetHttpContext());
            return Task.FromResult(request);
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, "/no.such.Service/Method");
        await peer.ReadAsync(frame => frame is { Type: Http2FrameType.Headers, StreamId: 1 });
        await peer.StartCallAsync(3, UnaryPath);
        await peer.SendDataAsync(3, isEnd: true, FramedHi);
        await peer.ReadAsync(frame => frame is { Type: Http2FrameType.Data, StreamId: 3 });

        Assert.That(frames?.UnreadRequests, Is.Zero);
    }

    [Test]
    public async Task The_end_of_a_connection_is_told_when_what_came_before_it_is_read()
    {
        var pipe = new Pipe();
        var frames = new ClientFrames(pipe.Reader);
        byte[] preface = new byte[24], headers = [0, 0, 0, (byte)Http2FrameType.Headers, 0, 0, 0, 0, 1];
        await pipe.Writer.WriteAsync((byte[])[.. preface, .. headers]);
        await pipe.Writer.CompleteAsync();

        var first = await frames.ReadAsync();
        Assert.That(first.IsCompleted, Is.False);
        frames.AdvanceTo(first.Buffer.End);
        var second = frames.ReadAsync().AsTask();
        Assert.That(second.IsCompleted, Is.False);
        frames.Read(1);
        Assert.That((await second.WaitAsync(Patience)).IsCompleted, Is.True);
    }

    [Test]
    public async Task Frames_are_told_apart_wherever_the_network_has_cut_them()
    {
        var (peer, end) = await BeginAsync();
        using (peer)
        {
            // A payload that looks like a reset, and a reset in pieces of one byte.
            await peer.SendAsync(Http2FrameType.Ping, 0, 0, [0, 0, 4, 3, 0, 0, 0, 0]);
            await peer.SendInPiecesAsync([0, 0, 4, (byte)Http2FrameType.ResetStream, 0, 0, 0, 0, 1, 0, 0, 0, (byte)Http2Error.Cancel]);
            Assert.That(await end.WaitAsync(Patience), Is.True);
        }
    }

    /// <summary>A stream whose handler waits until its client has left; the task tells whether that was a cancellation.</summary>
    private async Task<(Http2Peer Peer, Task<bool> End)> BeginAsync(params (string, string)[] headers)
    {
        var end = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        Echo.ServerStreaming = async (request, responses, context) =>
        {
            if (request != "hi") return;
            var isOver = NewEvent();
            using var _ = context.CancellationToken.Register(isOver.SetResult);
            await responses.WriteAsync("began");
            await isOver.Task;
            end.SetResult(context.HasClientCancelled());
        };
        var peer = await ConnectAsync();
        await peer.StartCallAsync(1, ServerStreamingPath, headers);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        return (peer, end.Task);
    }
}
