using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.DependencyInjection;
using RemoteExec.Core;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Web;

/// <summary>
/// The HTTP port of a <see cref="WebApplication"/>: one page, the JSON API behind it, metrics and health. What arrives on it comes here,
/// and nothing else does.
/// </summary>
public sealed class WebServer(WebSources sources) : IDisposable
{
    // Often enough to feel live.
    private static readonly TimeSpan LiveInterval = TimeSpan.FromSeconds(1);

    // Load balancers probe with either; the host leaves the body of an answer to HEAD out.
    private static readonly string[] Looks = [HttpMethods.Get, HttpMethods.Head];

    // Kestrel's default, which the limits of the gRPC port have lifted: a reader that stops reading is let go.
    private static readonly MinDataRate ReadingMin = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));

    private readonly StatusReader _status = new(sources);
    private readonly ActionReader _actions = new(sources);
    private readonly HttpCache? _cache = sources.Cache is { } cache ? new HttpCache(cache, sources.Blobs) : null;
    private readonly JsonGateway? _json = sources.GrpcForJson is { } grpc ? new JsonGateway(grpc, sources.Time) : null;
    private readonly CancellationTokenSource _stopping = new();
    private IPAddress _boundTo = IPAddress.None;
    private ListenOptions? _listen;
    private int _connections;

    /// <summary>Where it listens, once the application is started; with port 0 the one the system chose.</summary>
    public Uri Address => new($"http://{_listen?.IPEndPoint}");

    /// <param name="endPoint">An address, or a socket that listens already (<see cref="FileHandleEndPoint"/>).</param>
    /// <param name="boundTo">The address of either.</param>
    public void AddTo(WebApplicationBuilder builder, EndPoint endPoint, IPAddress boundTo)
    {
        _boundTo = boundTo;
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(endPoint, listen =>
        {
            _listen = listen;
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(next => connection => ConnectAsync(connection, next));
        }));
        builder.Services.AddRoutingCore();
    }

    public void UseOn(WebApplication app) => app.MapWhen(context => context.Features.Get<WebServer>() == this, web =>
    {
        var guard = new HostGuard(_boundTo);
        web.Use((context, next) =>
        {
            SetSafeHeaders(context.Response.Headers);
            SetLimits(context);
            return guard.Allows(context.Request.Host)
                ? next(context)
                : RefuseAsync(context, StatusCodes.Status421MisdirectedRequest, "this server listens on loopback and answers only to localhost");
        });
        if (_json is not null) web.Use(async (context, next) =>
        {
            if (!await _json.TryAnswerAsync(context)) await next(context);
        });
        // Before the routes: an instance name in front may have any number of parts.
        if (_cache is not null) web.Use(async (context, next) =>
        {
            if (!await _cache.TryAnswerAsync(context)) await next(context);
        });
        web.UseRouting();
        web.UseEndpoints(Map);
    });

    /// <summary>Live pages would hold the port open.</summary>
    public void EndStreams() => _stopping.Cancel();

    /// <summary>After the application, whose requests look at it.</summary>
    public void Dispose()
    {
        _json?.Dispose();
        _stopping.Dispose();
    }

    private async Task ConnectAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        try
        {
            if (Interlocked.Increment(ref _connections) > sources.ConnectionsMax) return; // it is closed
            connection.Features.Set(this);
            await next(connection);
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }
    }

    private static void SetLimits(HttpContext context)
    {
        // Nothing here takes a body, but for the cache, which says how large.
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } body) body.MaxRequestBodySize = 0;
        if (context.Features.Get<IHttpMinResponseDataRateFeature>() is { } reading) reading.MinDataRate = ReadingMin;
    }

    private void Map(IEndpointRouteBuilder app)
    {
        app.MapMethods("/", Looks, context => PageAsync(context, action: null));
        app.MapMethods("/action/{id}", Looks, ActionPageAsync);
        app.MapMethods("/app.js", Looks, context => AssetAsync(context, "app.js", "text/javascript; charset=utf-8"));
        app.MapMethods("/app.css", Looks, context => AssetAsync(context, "app.css", "text/css; charset=utf-8"));
        app.MapMethods("/healthz", Looks, context => TextAsync(context, StatusCodes.Status200OK, "ok\n"));
        app.MapMethods("/readyz", Looks, ReadyAsync);
        sources.Metrics.MapTo(app, "/metrics");
        app.MapGet("/api/v1/status", context => context.Response.WriteAsJsonAsync(
            _status.Read(), WebJson.Default.StatusView, contentType: null, context.RequestAborted));
        app.MapGet("/api/v1/live", LiveAsync);
        app.MapGet("/api/v1/actions/{id}", ActionAsync);
        app.MapGet("/api/v1/blobs/{function}/{hash}/{size}", BlobAsync);
        // Its own pattern: the usual one leaves names with a dot to a server of files.
        app.MapFallback("{*path}", context => RefuseAsync(context, StatusCodes.Status404NotFound,
            "no such page; there are /, /metrics, /healthz, /readyz and /api/v1/status"));
    }

    // Nothing is loaded from elsewhere and nothing may frame us; a stored blob must never run as script.
    private static void SetSafeHeaders(IHeaderDictionary headers)
    {
        headers.ContentSecurityPolicy =
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; frame-ancestors 'none'; base-uri 'none'";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers.CacheControl = "no-store";
    }

    // The first numbers travel inside the page, so that it is complete when it is loaded. The encoder writes < as \u003C:
    // no command line can end the element that it stands in.
    private async Task PageAsync(HttpContext context, ActionView? action)
    {
        context.Response.ContentType = "text/html; charset=utf-8";
        await using var page = Asset("index.html");
        using var reader = new StreamReader(page);
        string html = await reader.ReadToEndAsync(context.RequestAborted);
        html = Embed(html, "status", JsonSerializer.Serialize(_status.Read(), WebJson.Default.StatusView));
        if (action is not null)
            html = Embed(html, "action", JsonSerializer.Serialize(action, WebJson.Default.ActionView));
        await context.Response.WriteAsync(html, context.RequestAborted);
    }

    private async Task ActionPageAsync(HttpContext context)
    {
        var view = await FindActionAsync(context);
        if (view is null)
            context.Response.StatusCode = StatusCodes.Status404NotFound;
        await PageAsync(context, view);
    }

    private static string Embed(string html, string id, string json)
    {
        string element = $"id=\"{id}\">";
        return html.Replace(element, element + json, StringComparison.Ordinal);
    }

    private static async Task AssetAsync(HttpContext context, string name, string contentType)
    {
        context.Response.ContentType = contentType;
        await using var asset = Asset(name);
        await asset.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    private static Stream Asset(string name) => typeof(WebServer).Assembly.GetManifestResourceStream(name)!; // embedded by the project file

    private Task ReadyAsync(HttpContext context) => TextAsync(
        context, sources.Health.IsReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable,
        string.Concat(sources.Health.Detail.Select(line => line + "\n")));

    private async Task LiveAsync(HttpContext context)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _stopping.Token);
        context.Response.ContentType = "text/event-stream";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();
        try
        {
            while (true)
            {
                string json = JsonSerializer.Serialize(_status.Read(), WebJson.Default.StatusView);
                await context.Response.WriteAsync($"data: {json}\n\n", ending.Token);
                await context.Response.Body.FlushAsync(ending.Token);
                await Task.Delay(LiveInterval, sources.Time, ending.Token);
            }
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // The page was closed or the server stops: the stream simply ends.
        }
    }

    private async Task ActionAsync(HttpContext context)
    {
        var view = await FindActionAsync(context);
        if (view is null)
            await RefuseAsync(context, StatusCodes.Status404NotFound, "no such action; only the latest are remembered, and none over a restart");
        else
            await context.Response.WriteAsJsonAsync(view, WebJson.Default.ActionView, contentType: null, context.RequestAborted);
    }

    /// <summary>By the id of an execution, or by HASH-SIZE of an action: then the latest execution of it.</summary>
    private async ValueTask<ActionView?> FindActionAsync(HttpContext context)
    {
        string name = context.GetRouteValue("id") as string ?? "";
        if (!ExecutionId.TryParse(name, out var id))
        {
            if (name.Split('-') is not [var hash, var size] || !long.TryParse(size, out long sizeBytes)) return null;
            if (sources.History.FindLatest(hash, sizeBytes) is not { } latest) return null;
            id = latest.Id;
        }

        return await _actions.ReadAsync(id, context.RequestAborted);
    }

    private async Task BlobAsync(HttpContext context)
    {
        string error = "unknown digest function";
        if (!DigestFunctions.TryFromWireName(context.GetRouteValue("function") as string, out var function)
            || !long.TryParse(context.GetRouteValue("size") as string, out long size)
            || !Digest.TryParse(function, context.GetRouteValue("hash") as string, size, out var digest, out error!))
        {
            await RefuseAsync(context, StatusCodes.Status400BadRequest, error);
            return;
        }

        await using var reader = await sources.Blobs.OpenToEndAsync(digest, offset: 0, context.RequestAborted);
        if (reader is null)
        {
            await RefuseAsync(context, StatusCodes.Status404NotFound, $"blob {digest} is not stored here");
            return;
        }

        // Plain text whatever it is: a browser must not interpret what an action wrote.
        context.Response.ContentType = "text/plain; charset=utf-8";
        context.Response.ContentLength = digest.SizeBytes;
        await reader.ReadToAsync(context.Response.Body, hasher: null, context.RequestAborted);
    }

    private static Task TextAsync(HttpContext context, int status, string text)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(text, Encoding.UTF8, context.RequestAborted);
    }

    private static Task RefuseAsync(HttpContext context, int status, string error)
    {
        context.Response.StatusCode = status;
        return context.Response.WriteAsJsonAsync(new ErrorView(error), WebJson.Default.ErrorView, contentType: null, context.RequestAborted);
    }
}
