using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A real server on a free port and a real client, anew for each test.</summary>
public abstract class EchoFixture
{
    private RpcServer? _server;
    private RpcChannel? _channel;

    internal EchoService Echo { get; private set; } = new();

    protected RpcServer Server => _server!;

    protected RpcChannel Channel => _channel!;

    protected CallInvoker Client => Channel.CreateCallInvoker();

    internal CollectedLog Log { get; private set; } = new();

    protected virtual RpcServerOptions Configure(RpcServerOptions options) => options;

    protected virtual RpcChannelOptions Configure(RpcChannelOptions options) => options;

    protected virtual void AddMethods(RpcServer server) { }

    [SetUp]
    public async Task StartAsync()
    {
        Echo = new EchoService();
        Log = new CollectedLog();
        _server = new RpcServer(Configure(new RpcServerOptions { Log = Log }));
        _server.AddService(Echo.Bind());
        AddMethods(_server);
        await _server.StartAsync(CancellationToken.None);
        _channel = new RpcChannel(_server.Address, Configure(new RpcChannelOptions()));
    }

    [TearDown]
    public async Task StopAsync()
    {
        _channel?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    protected AsyncUnaryCall<string> Unary(string request, CallOptions options = default) =>
        Client.AsyncUnaryCall(EchoService.UnaryMethod, null, options, request);

    protected AsyncClientStreamingCall<string, string> ClientStreaming(CallOptions options = default) =>
        Client.AsyncClientStreamingCall(EchoService.ClientStreamingMethod, null, options);

    protected AsyncServerStreamingCall<string> ServerStreaming(string request, CallOptions options = default) =>
        Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, options, request);

    protected AsyncDuplexStreamingCall<string, string> Duplex(CallOptions options = default) =>
        Client.AsyncDuplexStreamingCall(EchoService.DuplexMethod, null, options);

    protected static async Task<RpcException> FailureOf(Task call)
    {
        try
        {
            await call;
        }
        catch (RpcException exception)
        {
            return exception;
        }

        throw new AssertionException("the call was expected to fail, but it succeeded");
    }
}
