using System.Buffers;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>What the server does on the wire, against a peer that speaks raw frames.</summary>
public sealed class ServerWireTests : ServerWireFixture
{
    // No other wait is as long as this.
    private static readonly TimeSpan IdleMax = TimeSpan.FromSeconds(31);

    protected override RpcServerOptions Configure(RpcServerOptions options) => base.Configure(options) with
    {
        ReceiveIdleMax = IdleMax,
        Http1Answer = "Speak HTTP/2 here.",
    };

    internal override void AddMethods(RpcMethods methods)
    {
        methods.Add<ServerWireTests>(
            new RpcLimits
            {
                ReceiveIdleMax = TimeSpan.FromMinutes(1),
                ReceiveBytesMax = 5_000,
                TooLarge = new RpcException(new Status(StatusCode.InvalidArgument, "5,000 at most"), new Metadata { { "why-bin", [1] } }),
            },
            Echo.Bind, EchoService.ClientStreamingMethod.Name, EchoService.ServerStreamingMethod.Name);
        base.AddMethods(methods);
    }

    [Test]
    public async Task An_answer_is_headers_then_data_then_trailers()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);

        var headers = await peer.ReadAsync();
        Assert.That(headers.Type, Is.EqualTo(Http2FrameType.Headers));
        Assert.That(headers.IsEndStream, Is.False);
        Assert.That(Hpack.Decode(headers.Payload), Does.Contain((":status", "200")).And.Contain(("content-type", "application/grpc")));

        var data = await peer.ReadAsync();
        Assert.That(data.Type, Is.EqualTo(Http2FrameType.Data));
        Assert.That(data.Payload, Is.EqualTo(FramedHi));

        var trailers = await peer.ReadAsync();
        Assert.That(trailers.Type, Is.EqualTo(Http2FrameType.Headers));
        Assert.That(trailers.IsEndStream, Is.True);
        Assert.That(Hpack.Decode(trailers.Payload), Is.EqualTo(new[] { ("grpc-status", "0") }));
    }

    [Test]
    public async Task A_refusal_before_any_message_is_one_headers_frame()
    {
        Echo.Unary = (_, _) => throw new RpcException(new Status(StatusCode.NotFound, "50 % gone"), new Metadata { { "why", "because" } });
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);

        var frame = await peer.ReadAsync();
        Assert.That(frame.Type, Is.EqualTo(Http2FrameType.Headers));
        Assert.That(frame.IsEndStream, Is.True);
        Assert.That(Hpack.Decode(frame.Payload), Does
            .Contain((":status", "200")).And.Contain(("content-type", "application/grpc"))
            .And.Contain(("grpc-status", "5")).And.Contain(("grpc-message", "50 %25 gone"))
            .And.Contain(("why", "because")));
    }

    [Test]
    public async Task A_message_that_is_too_large_is_refused_when_it_is_announced()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: false, 0, 0x00, 0x40, 0x00, 0x01); // 4 MiB + 1, of which not one byte follows
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.ResourceExhausted);
        Assert.That(answer.IsTrailersOnly);
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_length_that_looks_negative_is_too_large_as_well()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: false, 0, 0xFF, 0xFF, 0xFF, 0xFF);
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.ResourceExhausted);
        await AssertServesAsync(peer, 3);
    }

    [TestCase(ServerStreamingPath)]
    [TestCase(ClientStreamingPath)]
    public async Task A_method_may_say_itself_what_a_message_that_is_too_large_is_told(string path)
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, path);
        await peer.SendDataAsync(1, isEnd: false, 0, 0, 0, 0x13, 0x89); // 5,001
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.InvalidArgument);
        Assert.That((answer["grpc-message"], answer["why-bin"]), Is.EqualTo(("5,000 at most", "AQ==")));
        await AssertServesAsync(peer, 3);
    }

    // Each row is a request body, complete with END_STREAM.
    [TestCase(new byte[] { 2, 0, 0, 0, 0 }, TestName = "Broken_framing_flag_2")]
    [TestCase(new byte[] { 1, 0, 0, 0, 0 }, TestName = "Broken_framing_compressed_without_encoding")]
    [TestCase(new byte[] { 0, 0, 0, 0 }, TestName = "Broken_framing_ends_inside_the_header")]
    [TestCase(new byte[] { 0, 0, 0, 0, 3, 1, 2 }, TestName = "Broken_framing_ends_inside_the_message")]
    [TestCase(new byte[] { }, TestName = "Broken_framing_no_message")]
    [TestCase(new byte[] { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }, TestName = "Broken_framing_two_messages_for_one")]
    public async Task Broken_framing_is_internal_and_the_connection_lives_on(byte[] body)
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, body);
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.Internal);
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_message_may_come_byte_by_byte()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        for (int i = 0; i < FramedHi.Length; i++) await peer.SendDataAsync(1, isEnd: i == FramedHi.Length - 1, FramedHi[i]);
        Assert.That((await peer.ReadAnswerAsync(1)).Data, Is.EqualTo(FramedHi));
    }

    // The package ignores what is no timeout, and zero; where the protocol is silent that is fine.
    [TestCase("50m", StatusCode.DeadlineExceeded)]
    [TestCase("0S", StatusCode.OK)]
    [TestCase("5", StatusCode.OK)]
    [TestCase("-5S", StatusCode.OK)]
    [TestCase("5X", StatusCode.OK)]
    [TestCase("99999999H", StatusCode.OK)]
    public async Task A_timeout_is_kept_and_nonsense_ignored(string timeout, StatusCode expected)
    {
        Echo.Unary = async (request, context) =>
        {
            if (expected == StatusCode.DeadlineExceeded)
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.CancellationToken);
            return request;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-timeout", timeout));
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        AssertStatus(await peer.ReadAnswerAsync(1), expected);
    }

    [Test]
    public async Task A_reset_by_the_client_fires_the_handlers_token()
    {
        var isWaiting = NewEvent();
        var isCancelled = NewEvent();
        Echo.Duplex = (_, _, context) =>
        {
            context.CancellationToken.Register(isCancelled.SetResult);
            isWaiting.SetResult();
            return isCancelled.Task;
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await isWaiting.Task;
        await peer.SendResetAsync(1, Http2Error.Cancel);
        await isCancelled.Task.WaitAsync(Patience);
        await AssertServesAsync(peer, 3);
        Assert.That(Log.RpcErrors, Is.Empty, "cancellation by the client is not an error");
    }

    [Test]
    public async Task A_reset_by_the_client_ends_a_read_and_a_write_that_wait()
    {
        var isRead = new TaskCompletionSource<Exception>(TaskCreationOptions.RunContinuationsAsynchronously);
        Echo.Duplex = async (requests, responses, _) =>
        {
            await responses.WriteAsync("ready");
            try
            {
                await requests.MoveNext(CancellationToken.None);
            }
            catch (Exception exception)
            {
                isRead.SetResult(exception);
                throw;
            }
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, DuplexPath);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Data);
        await peer.SendResetAsync(1, Http2Error.Cancel);
        await isRead.Task.WaitAsync(Patience);
        await AssertServesAsync(peer, 3);
        Assert.That(Log.RpcErrors, Is.Empty, "cancellation by the client is not an error");
    }

    [Test]
    public async Task A_message_that_breaks_while_it_is_written_ends_in_a_reset()
    {
        Echo.Bytes = (_, responses, _) => responses.WriteAsync(new BytePiece(new byte[100]) { FailsAfter = 9 });
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, BytesPath);
        var answer = await peer.ReadAnswerAsync(1);
        Assert.That(answer.Reset, Is.EqualTo(Http2Error.InternalError));
        Assert.That(await Log.NextRpcErrorAsync(), Is.InstanceOf<IOException>());
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_client_that_takes_nothing_is_reset_after_the_stall_limit()
    {
        var handlerEnds = WriteWithoutEnd();
        using var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, BytesPath);
        await PassStallAsync(handlerEnds);
        Assert.That(await peer.ReadResetAsync(1), Is.EqualTo(Http2Error.Cancel));
        await peer.PingAsync(); // the connection lives on
    }

    [Test]
    public async Task A_client_that_takes_nothing_of_a_whole_answer_is_reset_after_the_stall_limit()
    {
        Echo.Unary = (_, _) => Task.FromResult(new string('x', 4 << 20));
        using var peer = await ConnectAsync((0x4, 0)); // INITIAL_WINDOW_SIZE: room for nothing
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        await peer.ReadAsync(frame => frame.Type == Http2FrameType.Headers);
        await Time.WaitForTimerAsync(new RpcServerOptions().SendStallMax);
        Time.Advance(new RpcServerOptions().SendStallMax);
        Assert.That(await peer.ReadResetAsync(1), Is.EqualTo(Http2Error.Cancel));
        await peer.PingAsync(); // the connection lives on
    }

    [Test]
    public async Task A_request_that_is_never_whole_is_refused_after_the_idle_limit()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath);
        await peer.SendDataAsync(1, isEnd: false, FramedHi[..6]);
        await Time.WaitForTimerAsync(IdleMax);
        Time.Advance(IdleMax);
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.DeadlineExceeded);
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_client_that_sends_nothing_is_refused_after_the_methods_idle_limit()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, ClientStreamingPath);
        await Time.WaitForTimerAsync(TimeSpan.FromMinutes(1));
        Time.Advance(TimeSpan.FromMinutes(1));
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.DeadlineExceeded);
    }

    [TestCase("AAEC_w==", false)]
    [TestCase("AAH/", true)]
    [TestCase("AAH/AA==", true)]
    [TestCase("AAH/AA", true)]
    public async Task Binary_metadata_is_base64_with_or_without_padding(string value, bool isValid)
    {
        Echo.Unary = (_, context) => Task.FromResult(Convert.ToHexString(context.RequestHeaders.GetValueBytes("data-bin")!));
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("data-bin", value));
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        var answer = await peer.ReadAnswerAsync(1);
        Assert.That(Log.RpcErrors, Is.Empty, "a client's mistake is no bug of ours");
        if (!isValid)
            AssertStatus(answer, StatusCode.Internal);
        else
            Assert.That(Encoding.ASCII.GetString(answer.Data.AsSpan(5)), Does.StartWith("0001FF"));
    }

    [TestCase("AA==, AAE")]
    [TestCase("AA==", "AAE")]
    [TestCase("no base64!", "AA==,AAE=")]
    public async Task Of_binary_metadata_with_several_values_the_last_counts(params string[] values)
    {
        Echo.Unary = (request, context) =>
        {
            foreach (var entry in context.RequestHeaders.GetAll("data-bin")) context.ResponseTrailers.Add(entry);
            return Task.FromResult(request);
        };
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, [.. values.Select(value => ("data-bin", value))]);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        var answer = await peer.ReadAnswerAsync(1);
        Assert.That(answer["data-bin"], Is.EqualTo("AAE="));
    }

    [TestCase("/test.Echo/Nothing")]
    [TestCase("/nothing.Here/Unary")]
    [TestCase("/")]
    [TestCase("/a/b/c")]
    public async Task What_is_not_served_is_unimplemented(string path)
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, path);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.Unimplemented);
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_service_that_is_not_offered_is_named_in_the_log_once()
    {
        using var peer = await ConnectAsync();
        for (int stream = 1; stream <= 9; stream += 2)
        {
            await peer.StartCallAsync(stream, stream == 9 ? "/other.Service/Do" : "/made.up.Service/Do");
            await peer.SendDataAsync(stream, isEnd: true, FramedHi);
            AssertStatus(await peer.ReadAnswerAsync(stream), StatusCode.Unimplemented);
        }

        var lines = Log.Lines("unknown_method");
        Assert.That(lines, Has.Count.EqualTo(2));
        Assert.That((lines[0], lines[1]), Is.EqualTo((Told("/made.up.Service/Do"), Told("/other.Service/Do"))));

        static string Told(string path) => $"a client called {path}, which is not offered by this server; further calls of it are not told";
    }

    [TestCase(UnaryPath)]
    [TestCase(ClientStreamingPath)]
    [TestCase(ServerStreamingPath)]
    [TestCase(DuplexPath)]
    public async Task F07_a_method_that_nobody_has_written_says_so_in_a_sentence(string path)
    {
        // As generated code does.
        static RpcException Unwritten() => new(new Status(StatusCode.Unimplemented, ""));
        Echo.Unary = (_, _) => throw Unwritten();
        Echo.ClientStreaming = (_, _) => throw Unwritten();
        Echo.ServerStreaming = (_, _, _) => throw Unwritten();
        Echo.Duplex = (_, _, _) => throw Unwritten();
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, path);
        await peer.SendDataAsync(1, isEnd: true, FramedHi);
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.Unimplemented);
        Assert.That(answer["grpc-message"], Is.EqualTo($"{path} is not offered by this server"));
    }

    [TestCase("GET", "application/grpc", "405")]
    [TestCase("POST", "text/plain", "415")]
    [TestCase("POST", "application/grpc-web", "415")]
    public async Task What_is_no_call_is_told_so_in_http(string method, string contentType, string expected)
    {
        using var peer = await ConnectAsync();
        await peer.SendHeadersAsync(1, true,
            (":method", method), (":scheme", "http"), (":path", UnaryPath), (":authority", "test"), ("content-type", contentType));
        Assert.That((await peer.ReadAnswerAsync(1))[":status"], Is.EqualTo(expected));
        await AssertServesAsync(peer, 3);
    }

    [Test]
    public async Task A_message_encoding_that_is_not_known_is_unimplemented_and_told_what_is()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-encoding", "br"));
        await peer.SendDataAsync(1, isEnd: true, Gzip.Frame("hi"u8));
        var answer = await peer.ReadAnswerAsync(1);
        AssertStatus(answer, StatusCode.Unimplemented);
        Assert.That(answer["grpc-accept-encoding"], Is.EqualTo("identity,gzip"));
    }

    [Test]
    public async Task A_gzip_message_is_read()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-encoding", "gzip"));
        await peer.SendDataAsync(1, isEnd: true, Gzip.Frame("hi"u8));
        Assert.That((await peer.ReadAnswerAsync(1)).Data, Is.EqualTo(FramedHi));
    }

    [Test]
    public async Task A_gzip_bomb_is_cut_at_the_message_limit()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-encoding", "gzip"));
        await peer.SendDataAsync(1, isEnd: true, Gzip.Frame(new byte[5 * 1024 * 1024]));
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.ResourceExhausted);
    }

    [Test]
    public async Task Bytes_that_are_no_gzip_are_internal()
    {
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-encoding", "gzip"));
        await peer.SendDataAsync(1, isEnd: true, 1, 0, 0, 0, 3, 9, 9, 9);
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.Internal);
    }

    [Test]
    public async Task A_gzip_message_that_is_cut_short_is_what_there_is_of_it()
    {
        byte[] half = Gzip.Compress("hello, hello, hello"u8)[..^10];
        using var peer = await ConnectAsync();
        await peer.StartCallAsync(1, UnaryPath, ("grpc-encoding", "gzip"));
        await peer.SendDataAsync(1, isEnd: true, [1, 0, 0, 0, (byte)half.Length, .. half]);
        // .NET's streams do not tell. Who cuts a message could as well send a whole one of the same bytes.
        AssertStatus(await peer.ReadAnswerAsync(1), StatusCode.OK);
    }

    [Test]
    public async Task F27_a_client_that_speaks_TLS_is_told_at_once_and_the_log_names_it_and_the_remedy()
    {
        async Task<byte[]> GreetAsync(Action<EndPoint?> connected)
        {
            using var client = new TcpClient(AddressFamily.InterNetwork);
            await client.ConnectAsync(Server.EndPoint);
            connected(client.Client.LocalEndPoint);
            await client.GetStream().WriteAsync(new byte[] { 22, 3, 1, 0, 4, 1, 0, 0, 0 }); // the beginning of a ClientHello
            using var answer = new MemoryStream();
            await client.GetStream().CopyToAsync(answer).WaitAsync(Patience);
            return answer.ToArray();
        }

        EndPoint? peer = null;
        byte[] alert = await GreetAsync(local => peer = local);
        Assert.That(alert, Is.EqualTo(new byte[] { 21, 3, 1, 0, 2, 2, 40 }), "a fatal alert, and the end");
        string line = await Log.Warnings.ReadAsync().AsTask().WaitAsync(Patience);
        Assert.That(line, Does.StartWith($"{peer} speaks TLS").And.Contain("grpc://").And.Contain("tls = false"));

        await GreetAsync(_ => { });
        Assert.That(Log.Warnings.TryRead(out _), Is.False, "a client that comes again and again is one line in a while");
        Time.Advance(TimeSpan.FromMinutes(1));
        await GreetAsync(_ => { });
        await Log.Warnings.ReadAsync().AsTask().WaitAsync(Patience);
    }

    [Test]
    public async Task A_browser_gets_a_sentence()
    {
        using var client = new TcpClient();
        await client.ConnectAsync(Server.EndPoint);
        await client.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: x\r\n\r\n"u8.ToArray());
        using var reader = new StreamReader(client.GetStream());
        string answer = await reader.ReadToEndAsync().WaitAsync(Patience);
        Assert.That(answer, Does.StartWith("HTTP/1.1 400 ").And.Contain("Speak HTTP/2 here."));
    }
}
