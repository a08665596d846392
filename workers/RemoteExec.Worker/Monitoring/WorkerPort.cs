using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Prometheus;

namespace RemoteExec.Worker;

/// <summary>The HTTP port of a worker that was told to have one: <c>/metrics</c> and <c>/healthz</c>. It reads nothing and changes nothing.</summary>
internal static class WorkerPort
{
    // Scrapers and probes, one connection each.
    private const int ConnectionsMax = 64;

    public static void AddTo(WebApplicationBuilder builder, IPEndPoint address)
    {
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = ConnectionsMax;
            kestrel.Limits.MaxRequestBodySize = 0;
            kestrel.Listen(address, listen => listen.Protocols = HttpProtocols.Http1);
        });
        builder.Services.AddRoutingCore();
    }

    public static void UseOn(WebApplication application, WorkerMetrics metrics)
    {
        application.UseRouting();
        application.MapMethods("/healthz", [HttpMethods.Get, HttpMethods.Head], context => context.Response.WriteAsync("ok\n", context.RequestAborted));
        application.MapMetrics(settings => settings.Registry = metrics.Registry, "/metrics");
    }
}
