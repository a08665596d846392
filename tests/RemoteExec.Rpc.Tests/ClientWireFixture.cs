using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Grpc.Net.Client;

namespace RemoteExec.Rpc.Tests;

/// <summary>A real client, and the server that the test plays frame by frame.</summary>
public abstract class ClientWireFixture
{
    protected static readonly byte[] FramedHi = [0, 0, 0, 0, 2, (byte)'h', (byte)'i'];

    /// <summary>What comes over a real connection may take as long as a busy machine needs; this is for ever.</summary>
    protected static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private Socket? _listener;
    private GrpcChannel? _channel;

    /// <summary>Owns its port from the start, so that nobody else can listen there while this does not.</summary>
    protected Socket Listener => _listener!; // set before each test

    protected CallInvoker Client => _channel!.CreateCallInvoker();

    protected virtual bool ListensAtOnce => true;

    protected virtual RpcChannelOptions Configure(RpcChannelOptions options) => options;

    [SetUp]
    public void Start()
    {
        _listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        if (ListensAtOnce) _listener.Listen();
        _channel = RpcChannels.Create(new Uri($"http://{_listener.LocalEndPoint}"), Configure(new RpcChannelOptions { AttemptsMax = 1 }));
    }

    [TearDown]
    public void Stop()
    {
        _channel?.Dispose();
        _listener?.Dispose();
    }

    internal static Task<Http2Frame> ReadCallAsync(Http2Peer server) =>
        server.ReadAsync(frame => frame.Type == Http2FrameType.Headers);

    internal static Task SendResponseHeadersAsync(Http2Peer server, int stream) =>
        server.SendHeadersAsync(stream, false, (":status", "200"), ("content-type", "application/grpc"));

    /// <summary>Trailers-only, which commits the client to nothing.</summary>
    internal static Task RefuseAsync(Http2Peer server, int stream, StatusCode code, params (string Name, string Value)[] more) =>
        server.SendHeadersAsync(stream, true,
            [(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", $"{(int)code}"), .. more]);

    internal static async Task AnswerAsync(Http2Peer server, int stream)
    {
        await SendResponseHeadersAsync(server, stream);
        await server.SendDataAsync(stream, false, FramedHi);
        await server.SendHeadersAsync(stream, true, ("grpc-status", "0"));
    }

    protected AsyncUnaryCall<string> Unary(CallOptions options = default) =>
        Client.AsyncUnaryCall(EchoService.UnaryMethod, null, options, "hi");

    protected AsyncServerStreamingCall<string> ServerStreaming(CallOptions options = default) =>
        Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, options, "hi");

    protected AsyncDuplexStreamingCall<string, string> Duplex(CallOptions options = default) =>
        Client.AsyncDuplexStreamingCall(EchoService.DuplexMethod, null, options);

    protected static async Task<RpcException> FailureOf(Task call)
    {
        try
        {
            await call.WaitAsync(Patience);
        }
        catch (RpcException exception)
        {
            return exception;
        }

        throw new AssertionException("the call was expected to fail, but it succeeded");
    }
}
