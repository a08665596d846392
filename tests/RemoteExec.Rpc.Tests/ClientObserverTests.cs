using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>What a channel tells its observers.</summary>
public sealed class ClientObserverTests : ClientWireFixture
{
    private const string UnaryPath = "/test.Echo/Unary";
    private const string DuplexPath = "/test.Echo/Duplex";

    private static readonly TimeSpan Work = TimeSpan.FromSeconds(3);

    private RecordedCalls Calls { get; set; } = new();

    protected override RpcChannelOptions Configure(RpcChannelOptions options)
    {
        Calls = new RecordedCalls();
        return options with
        {
            Observers = [Calls],
            Retry = new RetryPolicy { AttemptsMax = 2, FirstDelay = TimeSpan.Zero },
        };
    }

    [Test]
    public async Task A_call_is_reported_once_with_the_time_of_all_its_attempts()
    {
        using var call = Unary();
        Assert.That(Calls.Running, Is.EqualTo(new[] { UnaryPath }));
        using var server = await Http2Peer.AcceptAsync(Listener);
        int first = (await ReadCallAsync(server)).StreamId;
        Time.Advance(Work);
        await RefuseAsync(server, first, StatusCode.Unavailable);
        int second = (await ReadCallAsync(server)).StreamId;
        Time.Advance(Work);
        await AnswerAsync(server, second);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.OK, 2 * Work, 2, 2));
    }

    [Test]
    public async Task A_stream_that_its_caller_gives_up_is_reported_as_cancelled()
    {
        var call = Duplex();
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = (await ReadCallAsync(server)).StreamId;
        await call.RequestStream.WriteAsync("one");
        await call.RequestStream.WriteAsync("two");
        await SendResponseHeadersAsync(server, stream);
        await server.SendDataAsync(stream, false, FramedHi);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);
        Time.Advance(Work);
        call.Dispose();
        call.Dispose();
        await AssertReportAsync(new RpcCallReport(DuplexPath, StatusCode.Cancelled, Work, 2, 6));
    }

    [Test]
    public async Task A_call_that_misses_its_deadline_is_reported_so()
    {
        using var call = Unary(new CallOptions(Deadline: (Time.GetUtcNow() + Work).UtcDateTime));
        using var server = await Http2Peer.AcceptAsync(Listener);
        await ReadCallAsync(server);
        Time.Advance(Work);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.DeadlineExceeded, Work, 0, 2));
    }

    [Test]
    public async Task A_connection_that_is_lost_is_reported_as_unavailable()
    {
        using var call = ServerStreaming();
        using (var server = await Http2Peer.AcceptAsync(Listener))
        {
            await SendResponseHeadersAsync(server, (await ReadCallAsync(server)).StreamId);
            await call.ResponseHeadersAsync;
        }

        await FailureOf(call.ResponseStream.MoveNext());
        await AssertReportAsync(new RpcCallReport("/test.Echo/ServerStreaming", StatusCode.Unavailable, TimeSpan.Zero, 0, 2));
    }

    private async Task AssertReportAsync(RpcCallReport expected)
    {
        Assert.That(await Calls.NextAsync(), Is.EqualTo(expected));
        Calls.AssertNoMore();
    }
}
