using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>How a call ends before its time, as frames: RST_STREAM by either side, and what must come before or instead.</summary>
public sealed class ServerResetTests : ServerWireFixture
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    // The package's clock is the system's.
    private static readonly (string, string) Soon = ("grpc-timeout", "50m");

    private RecordedCalls Calls { get; set; } = new();

    protected override RpcServerOptions Configure(RpcServerOptions options)
    {
        Calls = new RecordedCalls();
        return base.Configure(options) with { Observers = [Calls] };
    }

    internal override void AddMethods(RpcMethods methods)
    {
        methods.Add<ServerResetTests>(new RpcLimits { ReceiveIdleMax = Limit }, Echo.Bind, EchoService.BytesMethod.Name);
        base.AddMethods(methods);
    }

    [Test]
    public async Task A_deadline_says_so_in_trailers_and_stops_the_client_that_still_sends()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath, Soon);
        await peer.SendDataAsync(1, isEnd: false, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);

        var trailers = await peer.ReadAsync();
        Assert.That(trailers.IsEndStream);
        Assert.That(Hpack.Decode(trailers.Payload), Does.Contain(("grpc-status", "4")));
        // RFC 9113 section 8.1: a complete response, and no need for the rest of the request.
        Assert.That(await peer.ReadResetAsync(1), Is.EqualTo(Http2Error.NoError).Or.EqualTo(Http2Error.Cancel));
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_deadline_resets_a_stream_whose_client_takes_nothing()
    {
        var handlerEnds = WriteWithoutEnd();
        using var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, BytesPath, Soon);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        Assert.That(await peer.ReadResetAsync(1), Is.EqualTo(Http2Error.Cancel));
        await handlerEnds.WaitAsync(Patience);
    }

    [Test]
    public async Task A_deadline_before_the_request_is_whole_is_trailers_only()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, Soon);
        await peer.SendDataAsync(1, isEnd: false, FramedHi[..6]);
        var answer = await peer.ReadAnswerAsync(1);
        Assert.That(answer.IsTrailersOnly);
        AssertStatus(answer, StatusCode.DeadlineExceeded);
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_stream_that_its_client_resets_gets_not_one_frame_more()
    {
        var isReset = NewEvent();
        var hasWritten = NewEvent();
        Echo.Duplex = async (_, responses, context) =>
        {
            context.CancellationToken.Register(isReset.SetResult);
            await responses.WriteAsync("before");
            await isReset.Task;
            try
            {
                await responses.WriteAsync("after");
            }
            finally
            {
                hasWritten.SetResult();
            }
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        await peer.SendResetAsync(1, Http2Error.Cancel);
        await hasWritten.Task.WaitAsync(Patience);
        await AssertServesAsync(peer, 3);
        Assert.That(peer.Unread.Where(frame => frame.StreamId == 1), Is.Empty);
        Assert.That(Log.RpcErrors, Is.Empty, "cancellation by the client is not an error");
    }

    [TestCase(typeof(NullReferenceException), true)]
    [TestCase(typeof(InvalidOperationException), true)]
    [TestCase(typeof(IOException), false)]
    [TestCase(typeof(OperationCanceledException), false)]
    public async Task A_bug_is_logged_though_its_client_has_left(Type type, bool isBug)
    {
        var isRunning = NewEvent();
        var hasLeft = NewEvent();
        Echo.Unary = async (_, context) =>
        {
            context.CancellationToken.Register(hasLeft.SetResult);
            isRunning.SetResult();
            await hasLeft.Task;
            throw (Exception)Activator.CreateInstance(type)!;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await isRunning.Task.WaitAsync(Patience);
        await peer.SendResetAsync(1, Http2Error.Cancel);

        await Calls.NextAsync();

        Assert.That(Log.RpcErrors.Select(error => error!.GetType()), Is.EqualTo(isBug ? [type] : Type.EmptyTypes));
    }

    [Test]
    public async Task What_the_package_refuses_of_a_call_that_is_over_is_no_bug()
    {
        var isRunning = NewEvent();
        var hasLeft = NewEvent();
        IAsyncStreamReader<string>? reader = null;
        IServerStreamWriter<string>? writer = null;
        Echo.Duplex = async (requests, responses, context) =>
        {
            (reader, writer) = (requests, responses);
            context.CancellationToken.Register(hasLeft.SetResult);
            isRunning.SetResult();
            await hasLeft.Task;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await isRunning.Task.WaitAsync(Patience);
        await peer.SendResetAsync(1, Http2Error.Cancel);
        await Calls.NextAsync();

        Assert.That((await FailureOf(reader!.MoveNext(CancellationToken.None))).StatusCode, Is.EqualTo(StatusCode.Cancelled));
        Assert.That(async () => await writer!.WriteAsync("late"), Throws.InstanceOf<OperationCanceledException>());
        Assert.That(Log.RpcErrors, Is.Empty);
    }

    [Test]
    public async Task A_read_that_was_cancelled_is_not_measured_against_the_idle_limit()
    {
        var isGivenUp = NewEvent();
        var goOn = NewEvent();
        using var cancellation = new CancellationTokenSource();
        Echo.Bytes = async (requests, responses, _) =>
        {
            var read = requests.MoveNext(cancellation.Token);
            await cancellation.CancelAsync();
            Assert.That(async () => await read, Throws.InstanceOf<OperationCanceledException>());
            isGivenUp.SetResult();
            await goOn.Task; // work of its own, for which nothing need be sent
            Assert.That(await requests.MoveNext(CancellationToken.None), Is.True);
            await responses.WriteAsync(requests.Current);
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, BytesPath);
        await isGivenUp.Task.WaitAsync(Patience);
        Time.Advance(Limit);
        goOn.SetResult();
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.OK);
        Assert.That(answer.Data, Is.EqualTo(FramedHi));
    }
}
