using System.Net.Sockets;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>When a call is tried again, and when it must not be. The server's port is bound but not listened on at first.</summary>
public sealed class ClientRetryTests : ClientWireFixture
{
    private static readonly TimeSpan Step = TimeSpan.FromSeconds(1);

    protected override bool ListensAtOnce => false;

    private CallOptions WaitForReady => new CallOptions(Deadline: Time.GetUtcNow().AddHours(1).UtcDateTime).WithWaitForReady();

    protected override RpcChannelOptions Configure(RpcChannelOptions options) => options with
    {
        Retry = new RetryPolicy { AttemptsMax = 3, FirstDelay = Step, DelayMax = Step },
    };

    [Test]
    public async Task A_call_to_a_server_that_is_not_there_yet_succeeds_once_it_is()
    {
        using var call = Unary();
        await WaitForRetryAsync();
        Listener.Listen();
        Time.Advance(Step);

        using var server = await Http2Peer.AcceptAsync(Listener);
        var headers = await ReadCallAsync(server);
        Assert.That(Hpack.Decode(headers.Payload), Does.Contain(("grpc-previous-rpc-attempts", "1")));
        await AnswerAsync(server, headers.StreamId);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [Test]
    public async Task A_server_that_stays_away_fails_the_call_after_the_last_attempt()
    {
        using var call = Unary();
        for (int attempt = 1; attempt < 3; attempt++)
        {
            await WaitForRetryAsync();
            Assert.That(call.ResponseAsync.IsCompleted, Is.False);
            Time.Advance(Step);
        }

        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_call_that_waits_for_ready_outlasts_the_attempts_of_the_policy()
    {
        using var call = Unary(WaitForReady);
        for (int attempt = 1; attempt <= 10; attempt++)
        {
            await WaitForRetryAsync();
            if (attempt == 10) Listener.Listen();
            Time.Advance(Step);
        }

        using var server = await Http2Peer.AcceptAsync(Listener);
        await AnswerAsync(server, (await ReadCallAsync(server)).StreamId);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [Test]
    public async Task A_stream_that_waits_for_ready_keeps_its_messages_until_then()
    {
        using var call = Duplex(WaitForReady);
        var write = call.RequestStream.WriteAsync("hi");
        await WaitForRetryAsync();
        Listener.Listen();
        Time.Advance(Step);

        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        Assert.That((await server.ReadAsync(frame => frame.Type == Http2FrameType.Data)).Payload, Is.EqualTo(FramedHi));
        await write;
        await AnswerAsync(server, stream);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);
    }

    [Test]
    public async Task A_deadline_that_passes_between_attempts_is_the_status_and_the_last_failure_its_detail()
    {
        using var call = Unary(new CallOptions(Deadline: (Time.GetUtcNow() + Step / 4).UtcDateTime));
        await WaitForRetryAsync();
        Time.Advance(Step / 4);
        var failure = await FailureOf(call.ResponseAsync);
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(failure.Status.Detail, Does.Contain("refused"));
    }

    [Test]
    public async Task A_cancel_between_attempts_is_a_cancel()
    {
        using var cancellation = new CancellationTokenSource();
        using var call = Unary(new CallOptions(CancellationToken: cancellation.Token));
        await WaitForRetryAsync();
        await cancellation.CancelAsync();
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Cancelled));
    }

    [Test]
    public async Task A_refusal_is_tried_again_after_the_pause_that_the_server_asks_for()
    {
        Listener.Listen();
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        await RefuseAsync(server, (await ReadCallAsync(server)).StreamId, StatusCode.Unavailable, ("grpc-retry-pushback-ms", "7000"));
        await Time.WaitForTimerAsync(TimeSpan.FromSeconds(7));
        Time.Advance(TimeSpan.FromSeconds(7));

        var headers = await ReadCallAsync(server);
        Assert.That(Hpack.Decode(headers.Payload), Does.Contain(("grpc-previous-rpc-attempts", "1")));
        await AnswerAsync(server, headers.StreamId);
        Assert.That(await call.ResponseAsync.WaitAsync(Patience), Is.EqualTo("hi"));
    }

    [TestCase("grpc-retry-pushback-ms", "-1", StatusCode.Unavailable)]
    [TestCase("grpc-retry-pushback-ms", "never", StatusCode.Unavailable)]
    [TestCase("why", "not a code to retry", StatusCode.NotFound)]
    public async Task A_refusal_that_says_stay_away_is_not_tried_again(string name, string value, StatusCode code)
    {
        Listener.Listen();
        using var call = Unary();
        using var server = await Http2Peer.AcceptAsync(Listener);
        await RefuseAsync(server, (await ReadCallAsync(server)).StreamId, code, (name, value));
        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(code));
    }

    [Test]
    public async Task A_refusal_by_the_server_is_not_what_a_call_waits_out_for_ready()
    {
        Listener.Listen();
        using var call = Unary(WaitForReady);
        using var server = await Http2Peer.AcceptAsync(Listener);
        for (int attempt = 1; attempt <= 3; attempt++)
        {
            await RefuseAsync(server, (await ReadCallAsync(server)).StreamId, StatusCode.Unavailable);
            if (attempt == 3) break;
            await WaitForRetryAsync();
            Time.Advance(Step);
        }

        Assert.That((await FailureOf(call.ResponseAsync)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task A_connection_that_is_lost_behind_the_response_headers_is_not_tried_again()
    {
        Listener.Listen();
        using var call = ServerStreaming();
        using (var server = await Http2Peer.AcceptAsync(Listener))
        {
            await SendResponseHeadersAsync(server, (await ReadCallAsync(server)).StreamId);
            await call.ResponseHeadersAsync;
        }

        await AssertFailsForGoodAsync(call.ResponseStream.MoveNext());
    }

    [Test]
    public async Task A_stream_that_has_sent_a_message_is_not_tried_again()
    {
        Listener.Listen();
        using var call = Duplex();
        var read = call.ResponseStream.MoveNext();
        using (var server = await Http2Peer.AcceptAsync(Listener))
        {
            await ReadCallAsync(server);
            await call.RequestStream.WriteAsync("hi");
            await server.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        }

        await AssertFailsForGoodAsync(read);
    }

    [Test]
    public async Task A_stream_that_has_sent_nothing_is_tried_again()
    {
        Listener.Listen();
        using var call = Duplex();
        using var server = await Http2Peer.AcceptAsync(Listener);
        await RefuseAsync(server, (await ReadCallAsync(server)).StreamId, StatusCode.Unavailable);
        await WaitForRetryAsync();
        var write = call.RequestStream.WriteAsync("hi");
        Time.Advance(Step);

        int stream = (await ReadCallAsync(server)).StreamId;
        var data = await server.ReadAsync(frame => frame.Type == Http2FrameType.Data && frame.StreamId == stream);
        Assert.That(data.Payload, Is.EqualTo(FramedHi));
        await write;
        await AnswerAsync(server, stream);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);
    }

    [Test]
    public void The_pause_doubles_up_to_its_limit_and_is_never_under_half()
    {
        var policy = new RetryPolicy { FirstDelay = TimeSpan.FromSeconds(1), DelayMax = TimeSpan.FromSeconds(5) };
        double[] seconds = [1, 2, 4, 5, 5];
        for (int attempt = 1; attempt <= seconds.Length; attempt++)
        {
            Assert.That(policy.DelayAfter(attempt, 0).TotalSeconds, Is.EqualTo(seconds[attempt - 1] / 2));
            Assert.That(policy.DelayAfter(attempt, 1).TotalSeconds, Is.EqualTo(seconds[attempt - 1]));
        }

        Assert.That(policy.DelayAfter(int.MaxValue, 1), Is.EqualTo(policy.DelayMax), "even where the doubling overflows");
    }

    private Task WaitForRetryAsync() => Time.WaitForTimerAsync(Step / 2, Step);

    /// <summary>The call fails with no pause in between, and no further connection is asked for.</summary>
    private async Task AssertFailsForGoodAsync(Task call)
    {
        Assert.That((await FailureOf(call)).StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(Listener.Poll(0, SelectMode.SelectRead), Is.False);
    }
}
