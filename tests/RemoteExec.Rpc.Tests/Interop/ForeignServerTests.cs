using System.Diagnostics;
using System.Globalization;
using Grpc.Core;
using Grpc.Net.Client;

namespace RemoteExec.Rpc.Tests;

/// <summary>Our client against python3-grpcio's server, plain and with compressed answers.</summary>
[TestFixture(false)]
[TestFixture(true)]
public sealed class ForeignServerTests(bool isGzip)
{
    private Process? _server;
    private GrpcChannel? _channel;

    private CallInvoker Client => _channel!.CreateCallInvoker(); // set before each test

    [SetUp]
    public async Task StartAsync()
    {
        string python = await Peer.RequirePythonAsync();
        _server = Peer.Start(python, Peer.Script("echo_server.py"), isGzip ? "gzip" : "plain");
        string? port = await _server.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromMinutes(1));
        _channel = RpcChannels.Create(new Uri($"http://127.0.0.1:{int.Parse(port!, CultureInfo.InvariantCulture)}")); // no port, no test
    }

    [TearDown]
    public async Task StopAsync()
    {
        _channel?.Dispose();
        if (_server is null) return;
        _server.StandardInput.Close();
        await _server.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        _server.Dispose();
    }

    [Test]
    public async Task The_four_shapes_are_answered()
    {
        foreach (string request in (string[])["hello", "", new string('x', 3_500_000)])
            Assert.That(await Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, request), Is.EqualTo(request));

        using var upload = Client.AsyncClientStreamingCall(EchoService.ClientStreamingMethod, null, default);
        await upload.RequestStream.WriteAsync("a");
        await upload.RequestStream.WriteAsync("b");
        await upload.RequestStream.CompleteAsync();
        Assert.That(await upload, Is.EqualTo("a,b"));

        using var download = Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, default, "1,2,3");
        var all = new List<string>();
        await foreach (string response in download.ResponseStream.ReadAllAsync()) all.Add(response);
        Assert.That(all, Is.EqualTo((string[])["1", "2", "3"]));

        using var duplex = Client.AsyncDuplexStreamingCall(EchoService.DuplexMethod, null, default);
        foreach (string request in (string[])["p", "q"])
        {
            await duplex.RequestStream.WriteAsync(request);
            Assert.That(await duplex.ResponseStream.MoveNext(), Is.True);
            Assert.That(duplex.ResponseStream.Current, Is.EqualTo(request));
        }

        await duplex.RequestStream.CompleteAsync();
        Assert.That(await duplex.ResponseStream.MoveNext(), Is.False);
    }

    [Test]
    public async Task Metadata_and_rich_status_arrive()
    {
        byte[] bytes = [0, 0xFF];
        var headers = new Metadata { { "echo-bin", bytes }, { "echo-text", "t" } };
        var call = Client.AsyncUnaryCall(EchoService.UnaryMethod, null, new CallOptions(headers), "");
        await call;
        Assert.That(call.GetTrailers().GetValueBytes("echo-bin"), Is.EqualTo(bytes));
        Assert.That(call.GetTrailers().GetValue("echo-text"), Is.EqualTo("t"));

        var failure = Assert.ThrowsAsync<RpcException>(async () => await Client.AsyncUnaryCall(EchoService.UnaryMethod, null, default, "fail"))!;
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(failure.Status.Detail, Is.EqualTo("100 % ß"));
        Assert.That(failure.Trailers.GetValueBytes("grpc-status-details-bin"), Is.EqualTo(new byte[] { 8, 9 }));
    }

    [Test]
    public async Task A_cancelled_stream_ends_on_both_sides()
    {
        var hang = new Method<string, string>(MethodType.ServerStreaming, EchoService.ServiceName, "Hang",
            Marshallers.StringMarshaller, Marshallers.StringMarshaller);
        using var cancellation = new CancellationTokenSource();
        using var call = Client.AsyncServerStreamingCall(hang, null, new CallOptions(cancellationToken: cancellation.Token), "x");
        Assert.That(await call.ResponseStream.MoveNext(), Is.True);
        await cancellation.CancelAsync();
        var failure = Assert.ThrowsAsync<RpcException>(async () => await call.ResponseStream.MoveNext())!;
        Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Cancelled));
        // The server's process ends in TearDown only if its handler has been told.
    }
}
