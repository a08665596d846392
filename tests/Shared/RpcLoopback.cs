using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using RemoteExec.Rpc;

namespace RemoteExec.Testing;

/// <summary>A gRPC port on a free port of loopback, and nothing else in its application.</summary>
internal sealed class RpcLoopback : IAsyncDisposable
{
    private readonly WebApplication _application;
    private bool _isDisposed;

    private RpcLoopback(WebApplication application, RpcPort port) => (_application, Port) = (application, port);

    public RpcPort Port { get; }

    public IPEndPoint EndPoint => Port.EndPoint;

    public IServiceProvider Services => _application.Services;

    public Uri Address => new($"http://{EndPoint}");

    public static Task<RpcLoopback> StartAsync(RpcMethods methods) => StartAsync(methods, new RpcServerOptions(), NullLoggerFactory.Instance);

    public static async Task<RpcLoopback> StartAsync(RpcMethods methods, RpcServerOptions options, ILoggerFactory log)
    {
        var port = new RpcPort(methods, options);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddSingleton(log);
        port.AddTo(builder, new IPEndPoint(IPAddress.Loopback, 0));
        var application = builder.Build();
        port.UseOn(application);
        await application.StartAsync();
        return new RpcLoopback(application, port);
    }

    public async ValueTask DisposeAsync()
    {
        if (_isDisposed) return;
        _isDisposed = true;
        await _application.DisposeAsync();
        Port.Dispose();
    }
}
