using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>What the server tells its observers, above all about calls that do not end well.</summary>
public sealed class ServerObserverTests : ServerWireFixture
{
    private static readonly TimeSpan Work = TimeSpan.FromSeconds(3);

    private RecordedCalls Calls { get; set; } = new();

    protected override RpcServerOptions Configure(RpcServerOptions options)
    {
        Calls = new RecordedCalls();
        return base.Configure(options) with { Observers = [Calls] };
    }

    [Test]
    public async Task A_call_is_reported_with_its_time_and_its_bytes()
    {
        Echo.Unary = (request, _) =>
        {
            Assert.That(Calls.Running, Is.EqualTo(new[] { UnaryPath }));
            Time.Advance(Work);
            return Task.FromResult(request + " there");
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.OK, Work, 2, 8));
    }

    [Test]
    public async Task A_stream_is_reported_with_the_sum_of_its_bytes()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, ClientStreamingPath);
        for (int i = 0; i < 3; i++) await peer.SendDataAsync(1, isEnd: i == 2, FramedHi);
        await AssertReportAsync(new RpcCallReport(ClientStreamingPath, StatusCode.OK, TimeSpan.Zero, 6, 8)); // "hi,hi,hi"
    }

    [Test]
    public async Task A_compressed_message_counts_as_it_came_however_often_it_was_looked_at()
    {
        byte[] framed = Gzip.Frame(new byte[10_000]);
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-encoding", "gzip"));
        await peer.SendDataAsync(1, isEnd: false, framed);
        await peer.SendDataAsync(1, isEnd: false);
        await peer.SendDataAsync(1, isEnd: true);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.OK, TimeSpan.Zero, framed.Length - 5, 10_000));
    }

    [Test]
    public async Task A_refusal_is_reported_with_its_code()
    {
        Echo.Unary = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, ""));
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.NotFound, TimeSpan.Zero, 2, 0));
    }

    [Test]
    public async Task A_name_that_a_client_made_up_is_reported_without_it()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, "/made/up");
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await AssertReportAsync(new RpcCallReport(RpcCallReport.UnknownMethod, StatusCode.Unimplemented, TimeSpan.Zero, 0, 0));
    }

    [Test]
    public async Task A_call_that_its_client_resets_is_reported_as_cancelled()
    {
        Echo.Duplex = async (requests, responses, context) =>
        {
            await requests.MoveNext();
            await responses.WriteAsync("ready");
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await peer.SendDataAsync(1, isEnd: false, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        Time.Advance(Work);
        await peer.SendResetAsync(1, Http2Error.Cancel);
        await AssertReportAsync(new RpcCallReport(DuplexPath, StatusCode.Cancelled, Work, 2, 5));
    }

    [Test]
    public async Task A_call_whose_client_has_left_is_cancelled_even_if_its_handler_did_not_mind()
    {
        var isLeft = NewEvent();
        Echo.Duplex = (_, _, context) =>
        {
            context.CancellationToken.Register(isLeft.SetResult);
            return isLeft.Task;
        };
        using (var peer = await ConnectAsync())
        {
            await peer.StartCallAsync(1, DuplexPath);
            await peer.SendDataAsync(1, isEnd: false, FramedHi);
            await peer.PingAsync(); // the server has seen all of it
        }

        await AssertReportAsync(new RpcCallReport(DuplexPath, StatusCode.Cancelled, TimeSpan.Zero, 0, 0));
    }

    [Test]
    public async Task A_call_that_misses_its_deadline_is_reported_so()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath, ("grpc-timeout", "3S"));
        await peer.SendDataAsync(1, isEnd: false, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        Time.Advance(Work);
        await AssertReportAsync(new RpcCallReport(DuplexPath, StatusCode.DeadlineExceeded, Work, 2, 2));
    }

    [Test]
    public async Task A_call_whose_client_takes_nothing_until_the_deadline_has_missed_it()
    {
        Raw = async call =>
        {
            while (await call.Responses.WriteAsync(new byte[100_000], CancellationToken.None)) { }
        };
        using var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, RawPath, ("grpc-timeout", "3S"));
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        Time.Advance(Work);
        var report = await Calls.NextAsync();
        Assert.That(report.StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Calls.AssertNoMore();
    }

    [Test]
    public async Task A_value_that_cannot_travel_is_left_out_of_the_answer_and_spoils_nothing_else()
    {
        Raw = call =>
        {
            call.Context.ResponseTrailers.Add(call.Context.RequestHeaders.Get("name")!);
            return Task.CompletedTask;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, RawPath, ("name", "J\u00c3\u00bcrgen")); // UTF-8, where gRPC has printable ASCII only
        await peer.SendDataAsync(1, isEnd: true);
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.OK);
        Assert.That(answer["name"], Is.Null);
        await AssertReportAsync(new RpcCallReport(RawPath, StatusCode.OK, TimeSpan.Zero, 0, 0));
    }

    private async Task AssertReportAsync(RpcCallReport expected)
    {
        Assert.That(await Calls.NextAsync(), Is.EqualTo(expected));
        Calls.AssertNoMore();
    }
}
