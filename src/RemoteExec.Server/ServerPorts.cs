using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using RemoteExec.Hosting;
using RemoteExec.Rpc;
using RemoteExec.Web;

namespace RemoteExec.Server;

/// <summary>The host of a server: one web application with two ports, gRPC and HTTP, opened and closed together.</summary>
internal sealed class ServerPorts : IHost, IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly PortAddress _grpc;
    private readonly PortAddress _http;
    private readonly OpenListeners _listeners;

    public ServerPorts(RpcPort rpc, PortAddress grpc, WebServer web, PortAddress http, ProgramRun run, IProgramWork work)
    {
        (Rpc, _grpc, Web, _http) = (rpc, grpc, web, http);
        // Empty: what a template would add here (configuration files, the console) costs the start half of its time.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore();
        builder.Services.AddSingleton(services => new OpenListeners(ActivatorUtilities.CreateInstance<SocketTransportFactory>(services)));
        builder.Services.AddSingleton<IConnectionListenerFactory>(services => services.GetRequiredService<OpenListeners>());
        run.AddTo(builder, work);
        // In this order they are opened.
        rpc.AddTo(builder, grpc.Socket);
        web.AddTo(builder, http.Socket, http.Address.Address);
        _application = builder.Build();
        _listeners = _application.Services.GetRequiredService<OpenListeners>();
        rpc.UseOn(_application);
        web.UseOn(_application);
    }

    public RpcPort Rpc { get; }

    public WebServer Web { get; }

    public IServiceProvider Services => _application.Services;

    /// <exception cref="ServerRefusedException">A port cannot be had.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        try
        {
            await _application.StartAsync(cancellationToken);
        }
        catch (Exception failure) when ((Rpc.IsOpen ? _http : _grpc).Refuse(failure) is { } refused)
        {
            throw refused;
        }
    }

    /// <summary>Lets the work drain, which closes what can be closed in order, and ends what is left.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _application.StopAsync(cancellationToken);

    /// <summary>
    /// Who connects from now on is somebody else's: where a service manager holds the sockets, the next process's. GOAWAY to every client;
    /// running calls finish until the limit, and are cut off then.
    /// </summary>
    public async Task CloseAsync(CancellationToken limit)
    {
        Rpc.EndStreams();
        await _listeners.CloseAsync();
        await Rpc.CloseConnectionsAsync(limit);
        Web.EndStreams();
    }

    public void Dispose() => throw new NotSupportedException("its parts end asynchronously: dispose of it so");

    public async ValueTask DisposeAsync()
    {
        Web.EndStreams();
        await _application.DisposeAsync(); // at once: whoever wanted to drain has stopped it
        Rpc.Dispose();
        Web.Dispose();
    }
}
