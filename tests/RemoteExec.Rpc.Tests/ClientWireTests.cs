using System.Net;
using System.Net.Sockets;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>What the client does on the wire, against a server that a test plays frame by frame.</summary>
public sealed class ClientWireTests
{
    private static readonly byte[] FramedHi = [0, 0, 0, 0, 2, (byte)'h', (byte)'i'];

    private Socket? _listener;
    private RpcChannel? _channel;

    private Socket Listener => _listener!; // set before each test

    private CallInvoker Client => _channel!.CreateCallInvoker();

    [SetUp]
    public void Start()
    {
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen();
        _channel = new RpcChannel(new Uri($"http://{_listener.LocalEndPoint}"), new RpcChannelOptions
        {
            Retry = new RetryPolicy { AttemptsMax = 2, FirstDelay = TimeSpan.FromMilliseconds(1) },
        });
    }

    [TearDown]
    public void Stop()
    {
        _channel?.Dispose();
        _listener?.Dispose();
    }

    [Test]
    public async Task Giving_up_a_call_resets_its_stream_with_cancel()
    {
        var call = Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = await ReadCallAsync(server);
        await server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));
        await server.SendDataAsync(stream, false, FramedHi);
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);

        call.Dispose();
        var reset = await server.ReadAsync(frame => frame.Type == Http2FrameType.ResetStream);
        Assert.That(reset.StreamId, Is.EqualTo(stream));
        Assert.That(reset.Payload, Is.EqualTo(new byte[] { 0, 0, 0, (byte)Http2Error.Cancel }));
    }

    [Test]
    public async Task The_deadline_and_the_encodings_travel_in_the_headers()
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null,
            new CallOptions(Deadline: TimeProvider.System.GetUtcNow().UtcDateTime.AddHours(1)), "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        var headers = Hpack.Decode((await server.ReadAsync(frame => frame.Type == Http2FrameType.Headers)).Payload).ToDictionary();
        Assert.That(headers[":path"], Is.EqualTo("/test.Echo/Unary"));
        Assert.That(headers["te"], Is.EqualTo("trailers"));
        Assert.That(headers["grpc-accept-encoding"], Is.EqualTo("identity,gzip"));
        Assert.That(GrpcTimeout.TryParse(headers["grpc-timeout"], out var timeout), Is.True);
        Assert.That(timeout, Is.GreaterThan(TimeSpan.FromMinutes(50)).And.LessThanOrEqualTo(TimeSpan.FromHours(1)));
        call.Dispose();
    }

    [TestCase((int)Http2Error.EnhanceYourCalm, StatusCode.ResourceExhausted)]
    [TestCase((int)Http2Error.Cancel, StatusCode.Cancelled)]
    [TestCase((int)Http2Error.InternalError, StatusCode.Internal)]
    public async Task A_reset_by_the_server_becomes_its_status(int error, StatusCode expected)
    {
        var call = Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = await ReadCallAsync(server);
        await server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));
        await server.SendResetAsync(stream, (Http2Error)error);
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext())!;
        Assert.That(failure.StatusCode, Is.EqualTo(expected));
    }

    [Test]
    public async Task An_uncommitted_call_is_tried_again_and_says_so()
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int first = await ReadCallAsync(server);
        await server.SendHeadersAsync(first, true, (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "14"));

        var headers = await server.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        Assert.That(Hpack.Decode(headers.Payload), Does.Contain(("grpc-previous-rpc-attempts", "1")));
        await AnswerAsync(server, headers.StreamId);
        Assert.That(await call, Is.EqualTo("hi"));
    }

    [TestCase("grpc-retry-pushback-ms", "-1", 14)]
    [TestCase("why", "not a code to retry", 5)]
    public async Task A_refusal_that_says_stay_away_is_not_tried_again(string name, string value, int code)
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = await ReadCallAsync(server);
        await server.SendHeadersAsync(stream, true,
            (":status", "200"), ("content-type", "application/grpc"), ("grpc-status", $"{code}"), (name, value));
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call)!;
        Assert.That((int)failure.StatusCode, Is.EqualTo(code));
    }

    [Test]
    public async Task An_answer_without_a_status_is_no_success()
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = await ReadCallAsync(server);
        await server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));
        await server.SendDataAsync(stream, true, FramedHi);
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call)!;
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Internal));
    }

    [TestCase("404", StatusCode.Unimplemented)]
    [TestCase("401", StatusCode.Unauthenticated)]
    [TestCase("500", StatusCode.Unknown)]
    public async Task An_answer_that_is_no_grpc_has_the_status_of_its_http_code(string httpStatus, StatusCode expected)
    {
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "x");
        using var server = await Http2Peer.AcceptAsync(Listener);
        int stream = await ReadCallAsync(server);
        await server.SendHeadersAsync(stream, true, (":status", httpStatus), ("content-type", "text/html"));
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call)!;
        Assert.That(failure.StatusCode, Is.EqualTo(expected));
    }

    private static async Task<int> ReadCallAsync(Http2Peer server) =>
        (await server.ReadAsync(frame => frame.Type == Http2FrameType.Headers)).StreamId;

    private static async Task AnswerAsync(Http2Peer server, int stream)
    {
        await server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));
        await server.SendDataAsync(stream, false, FramedHi);
        await server.SendHeadersAsync(stream, true, ("grpc-status", "0"));
    }
}
