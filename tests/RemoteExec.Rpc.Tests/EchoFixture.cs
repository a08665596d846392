using Grpc.Core;
using Grpc.Net.Client;

namespace RemoteExec.Rpc.Tests;

/// <summary>A real server on a free port and a real client, anew for each test.</summary>
public abstract class EchoFixture
{
    private RpcLoopback? _server;
    private GrpcChannel? _channel;

    internal EchoService Echo { get; private set; } = new();

    internal RpcLoopback Server => _server!;

    protected GrpcChannel Channel => _channel!;

    protected CallInvoker Client => Channel.CreateCallInvoker();

    internal CollectedLog Log { get; private set; } = new();

    protected virtual RpcServerOptions Configure(RpcServerOptions options) => options;

    /// <summary>Binds the service; a fixture that wants other limits for some methods names those first.</summary>
    internal virtual void AddMethods(RpcMethods methods) => methods.Add<EchoService>(RpcLimits.Default, Echo.Bind);

    [SetUp]
    public async Task StartAsync()
    {
        Echo = new EchoService();
        Log = new CollectedLog();
        var methods = new RpcMethods();
        AddMethods(methods);
        _server = await RpcLoopback.StartAsync(methods, Configure(new RpcServerOptions()), Log);
        _channel = RpcChannels.Create(_server.Address);
    }

    [TearDown]
    public async Task StopAsync()
    {
        _channel?.Dispose();
        if (_server is not null) await _server.DisposeAsync();
    }

    protected AsyncUnaryCall<string> Unary(string request, CallOptions options = default) =>
        Client.AsyncUnaryCall(EchoService.UnaryMethod, null, options, request);

    protected AsyncServerStreamingCall<string> ServerStreaming(string request, CallOptions options = default) =>
        Client.AsyncServerStreamingCall(EchoService.ServerStreamingMethod, null, options, request);

    protected AsyncDuplexStreamingCall<BytePiece, BytePiece> Bytes(CallOptions options = default) =>
        Client.AsyncDuplexStreamingCall(EchoService.BytesMethod, null, options);

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
