using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RemoteExec.Rpc;
using RemoteExec.Web;

namespace RemoteExec.Server;

/// <summary>The two ports of one web application: gRPC and HTTP, opened and closed together.</summary>
internal sealed class ServerPorts : IAsyncDisposable
{
    private readonly WebApplication _application;

    public ServerPorts(RpcPort rpc, IPEndPoint grpc, WebServer web, IPEndPoint http, ILoggerProvider log)
    {
        (Rpc, Web) = (rpc, web);
        // Empty: what a template would add here (configuration files, the console) costs the start half of its time.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Logging.AddProvider(log).SetMinimumLevel(LogLevel.Warning).AddFilter("RemoteExec", LogLevel.Trace);
        // A port that is taken travels as an exception; logged as well, the operator would read it twice.
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None);
        // How long the end may take is decided by CloseAsync, by one limit for all of it.
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        // In this order they are opened.
        rpc.AddTo(builder, grpc);
        web.AddTo(builder, http);
        _application = builder.Build();
        rpc.UseOn(_application);
        web.UseOn(_application);
    }

    public RpcPort Rpc { get; }

    public WebServer Web { get; }

    /// <exception cref="ServerRefusedException">A port cannot be had.</exception>
    public async Task OpenAsync(ServerOptions options, CancellationToken cancellationToken)
    {
        try
        {
            await _application.StartAsync(cancellationToken);
        }
        catch (Exception failure) when ((Rpc.IsOpen
            ? Refuse.Port(failure, options.Http, "http")
            : Refuse.Port(failure, options.Grpc, "grpc")) is { } refused)
        {
            throw refused;
        }
    }

    /// <summary>GOAWAY to every client; running calls finish within the limit, what is left then is cut off.</summary>
    public async Task CloseAsync(TimeSpan limit, TimeProvider time)
    {
        using var cut = new CancellationTokenSource(limit, time);
        Rpc.EndStreams();
        try
        {
            await Rpc.CloseConnectionsAsync().WaitAsync(cut.Token);
        }
        catch (OperationCanceledException)
        {
            // Time is up: the rest is cut off.
        }

        Web.EndStreams();
        await _application.StopAsync(cut.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Web.EndStreams();
        await _application.DisposeAsync(); // at once: whoever wanted to drain has called CloseAsync
        Rpc.Dispose();
        Web.Dispose();
    }
}
