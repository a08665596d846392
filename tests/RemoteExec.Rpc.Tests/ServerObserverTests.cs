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
        return base.Configure(options) with { Observers = [new ThrowingObserver(), Calls] };
    }

    /// <summary>All tests here have it before the observer that they ask: whoever watches and throws changes nothing.</summary>
    private sealed class ThrowingObserver : IRpcObserver
    {
        public void CallStarted(string method) => throw new NotFiniteNumberException("of a type that nobody expects");

        public void CallFinished(in RpcCallReport report) => throw new NotFiniteNumberException("of a type that nobody expects");
    }

    [Test]
    public async Task A_call_is_reported_with_its_time()
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
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.OK, Work, 0, 0));
    }

    [Test]
    public async Task A_byte_method_is_reported_with_the_sum_of_its_bytes()
    {
        Echo.Bytes = async (requests, responses, _) =>
        {
            await foreach (var request in requests.ReadAllAsync()) await responses.WriteAsync(new BytePiece([.. request.Bytes, (byte)'!']));
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, BytesPath);
        for (int i = 0; i < 3; i++) await peer.SendDataAsync(1, isEnd: i == 2, FramedHi);
        await AssertReportAsync(new RpcCallReport(BytesPath, StatusCode.OK, TimeSpan.Zero, 6, 9));
    }

    [Test]
    public async Task A_refusal_is_reported_with_its_code()
    {
        Echo.Unary = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, ""));
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.NotFound, TimeSpan.Zero, 0, 0));
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
        await AssertReportAsync(new RpcCallReport(DuplexPath, StatusCode.Cancelled, Work, 0, 0));
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
    public async Task A_call_whose_client_takes_no_more_ends_with_its_next_write_and_is_reported_as_cancelled()
    {
        var handlerEnds = WriteWithoutEnd();
        using var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, BytesPath);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        await peer.SendResetAsync(1, Http2Error.Cancel);
        await handlerEnds.WaitAsync(Patience);
        Assert.That((await Calls.NextAsync()).StatusCode, Is.EqualTo(StatusCode.Cancelled));
        Calls.AssertNoMore();
    }

    [TestCase("hi", TestName = "A_call_that_misses_its_deadline_is_reported_so")]
    [TestCase("", TestName = "A_call_that_misses_its_deadline_before_its_request_is_whole_is_reported_so")]
    public async Task A_deadline_is_reported(string request)
    {
        Echo.Unary = async (_, context) =>
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
            return "";
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-timeout", "50m"));
        if (request.Length > 0) await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.DeadlineExceeded, TimeSpan.Zero, 0, 0));
    }

    [Test]
    public async Task A_request_that_cannot_be_read_is_reported_with_its_code()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, 2, 0, 0, 0, 0);
        await AssertReportAsync(new RpcCallReport(UnaryPath, StatusCode.Internal, TimeSpan.Zero, 0, 0));
    }

    [Test]
    public async Task A_client_that_takes_nothing_has_missed_a_deadline_of_ours()
    {
        var handlerEnds = WriteWithoutEnd();
        using var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, BytesPath);
        await PassStallAsync(handlerEnds);
        Assert.That((await Calls.NextAsync()).StatusCode, Is.EqualTo(StatusCode.DeadlineExceeded));
        Calls.AssertNoMore();
    }

    private async Task AssertReportAsync(RpcCallReport expected)
    {
        Assert.That(await Calls.NextAsync(), Is.EqualTo(expected));
        Calls.AssertNoMore();
    }
}
