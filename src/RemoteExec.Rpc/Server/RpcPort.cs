using System.IO.Compression;
using System.Net;
using Grpc.AspNetCore.Server;
using Grpc.Net.Compression;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace RemoteExec.Rpc;

/// <summary>
/// The gRPC port of a <see cref="WebApplication"/>: what arrives on it is a call, and calls arrive nowhere else.
/// <code>
/// var port = new RpcPort(methods, options);
/// port.AddTo(builder, new IPEndPoint(IPAddress.Loopback, 8980));
/// var app = builder.Build();
/// port.UseOn(app);
/// </code>
/// </summary>
public sealed class RpcPort(RpcMethods methods, RpcServerOptions options) : IDisposable
{
    private readonly CancellationTokenSource _leaving = new();
    private readonly OpenConnections _connections = new();
    private EndPoint? _asked;
    private ListenOptions? _listen;
    private CallFailures? _failures;

    /// <summary>Where it listens, once the application is started.</summary>
    public IPEndPoint EndPoint => _listen?.IPEndPoint ?? throw new InvalidOperationException("the port was not added to an application");

    /// <summary>Whether it listens. An application opens its ports in the order in which they were added.</summary>
    public bool IsOpen => _listen is not null && !ReferenceEquals(_listen.EndPoint, _asked); // Kestrel puts there what it has bound

    /// <summary>For what happens to connections before they are calls; they know their port.</summary>
    internal ILogger Log { get; private set; } = NullLogger.Instance;

    /// <param name="endPoint">An address, or a socket that listens already (<see cref="FileHandleEndPoint"/>).</param>
    public void AddTo(WebApplicationBuilder builder, EndPoint endPoint)
    {
        _asked = endPoint;
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.AllowSynchronousIO = false;
            TransportLimits.Apply(kestrel.Limits, options);
            kestrel.Listen(endPoint, Configure);
        });
        builder.Services.AddSingleton<IMemoryPoolFactory<byte>>(_ => new ConnectionMemory(options.Time));
        builder.Services.AddSingleton(services => new CallFailures(
            options, services.GetRequiredService<ILoggerFactory>().CreateLogger("RemoteExec.Rpc")));
        builder.Services.AddSingleton<CallInterceptor>();
        methods.AddTo(builder.Services.AddGrpc(grpc =>
        {
            grpc.MaxReceiveMessageSize = options.ReceiveBytesMax;
            grpc.CompressionProviders = [new GzipCompressionProvider(CompressionLevel.Fastest)];
            grpc.IgnoreUnknownServices = true; // CallMiddleware answers them, with a sentence
            grpc.Interceptors.Add<CallInterceptor>();
        }));
    }

    public void UseOn(WebApplication app)
    {
        var failures = _failures = app.Services.GetRequiredService<CallFailures>();
        app.MapWhen(context => RpcConnection.Of(context)?.Port == this, port =>
        {
            port.UseRouting();
            port.Use(next => new CallMiddleware(next, options, failures, _leaving.Token).InvokeAsync);
            port.UseEndpoints(methods.MapTo);
        });
    }

    /// <summary>Ends the streams that have no end of their own (<see cref="RpcLimits.EndsWithServer"/>), those to come included.</summary>
    public void EndStreams()
    {
        try
        {
            _leaving.Cancel();
        }
        catch (Exception failures)
        {
            // What handlers do when their streams end. All were told, and the rest of the drain is owed to the others.
            _failures?.OfEnding(failures);
        }
    }

    /// <summary>
    /// GOAWAY on every connection there is and will be (RFC 9113 section 6.8); completes when the last of them has ended, which it does
    /// with its last call, or is cut off at the limit.
    /// </summary>
    public Task CloseConnectionsAsync(CancellationToken limit) => _connections.CloseAsync(limit);

    /// <summary>After the application, whose calls look at it.</summary>
    public void Dispose() => _leaving.Dispose();

    private void Configure(ListenOptions listen)
    {
        _listen = listen;
        Log = listen.ApplicationServices.GetRequiredService<ILoggerFactory>().CreateLogger("RemoteExec.Rpc");
        listen.Protocols = HttpProtocols.Http2;
        listen.Use(next => connection =>
        {
            // By the connection, and not by a name or an address in the request: those are the client's to write.
            connection.Features.Set(new RpcConnection(this));
            return next(connection);
        });
        listen.Use(TakenBytes.Wrap);
        listen.Use(_connections.Wrap);
        listen.Use(new PrefaceGuard(options).Wrap);
        listen.Use(ClientFrames.Wrap);
    }
}
