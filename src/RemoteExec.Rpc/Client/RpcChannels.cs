using System.Net;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Client.Configuration;

namespace RemoteExec.Rpc;

/// <summary>Channels of Grpc.Net.Client with the settings that remote execution wants.</summary>
public static class RpcChannels
{
    private const int WindowBytes = 4 * 1024 * 1024;

    // A batch has 4 MiB. What is larger is a stream of pieces, which nobody can begin again but its caller.
    private const int RetriedBytesMax = 5 * 1024 * 1024;
    private const int AllRetriedBytesMax = 64 * 1024 * 1024;

    /// <summary>
    /// A client's way to one server: <c>http://host:port</c> is HTTP/2 without TLS, <c>https://…</c> with. Safe for any number of calls at
    /// once; opens a further connection when one is full of streams.
    /// </summary>
    public static GrpcChannel Create(Uri address, RpcChannelOptions options) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new LostConnections(Handler(options)),
        DisposeHttpClient = true,
        MaxReceiveMessageSize = options.ReceiveBytesMax,
        MaxRetryAttempts = options.AttemptsMax,
        MaxRetryBufferPerCallSize = RetriedBytesMax,
        MaxRetryBufferSize = AllRetriedBytesMax,
        ServiceConfig = options.AttemptsMax > 1 ? Retries(options.AttemptsMax) : null,
    });

    public static GrpcChannel Create(Uri address) => Create(address, new RpcChannelOptions());

    private static SocketsHttpHandler Handler(RpcChannelOptions options) => new()
    {
        // A gRPC channel is one address: what a web client would follow, keep or unpack is not asked for.
        UseProxy = false,
        UseCookies = false,
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        EnableMultipleHttp2Connections = true,
        InitialHttp2StreamWindowSize = WindowBytes,
        ConnectTimeout = options.ConnectTimeout,
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        KeepAlivePingDelay = options.KeepAlivePingDelay,
        KeepAlivePingTimeout = options.KeepAlivePingTimeout,
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
    };

    private static ServiceConfig Retries(int attempts) => new()
    {
        MethodConfigs =
        {
            new MethodConfig
            {
                Names = { MethodName.Default },
                RetryPolicy = new RetryPolicy
                {
                    MaxAttempts = attempts,
                    InitialBackoff = TimeSpan.FromMilliseconds(200),
                    MaxBackoff = TimeSpan.FromSeconds(5),
                    BackoffMultiplier = 2,
                    RetryableStatusCodes = { StatusCode.Unavailable },
                },
            },
        },
    };
}
