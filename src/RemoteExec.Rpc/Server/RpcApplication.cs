using System.Collections.Frozen;
using Grpc.Core;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Rpc;

/// <summary>
/// From an HTTP/2 stream to a handler. It sits on Kestrel's features directly: routing, middleware and
/// HttpContext would cost an empty call more than everything else in it.
/// </summary>
internal sealed class RpcApplication(RpcServerOptions options, IReadOnlyDictionary<string, BoundMethod> methods)
    : IHttpApplication<IFeatureCollection>
{
    private readonly FrozenDictionary<string, BoundMethod> _methods = methods.ToFrozenDictionary(StringComparer.Ordinal);
    private readonly FrozenSet<string> _services = methods.Keys.Select(ServiceOf).ToFrozenSet(StringComparer.Ordinal);
    private readonly ILogger _log = options.Log.CreateLogger("RemoteExec.Rpc");

    public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

    public void DisposeContext(IFeatureCollection context, Exception? exception) { }

    public Task ProcessRequestAsync(IFeatureCollection context)
    {
        var request = context.GetRequiredFeature<IHttpRequestFeature>();
        if (!IsCall(context, request)) return Task.CompletedTask;
        return _methods.TryGetValue(request.Path, out var method)
            ? ServeAsync(context, method)
            : RefuseUnknown(context, request.Path);
    }

    private static string ServiceOf(string fullName) => fullName[..Math.Max(0, fullName.LastIndexOf('/'))];

    private static bool IsCall(IFeatureCollection context, IHttpRequestFeature request)
    {
        int httpStatus = request.Method != "POST" ? StatusCodes.Status405MethodNotAllowed
            : !WireNames.IsGrpcContentType(request.Headers.ContentType) ? StatusCodes.Status415UnsupportedMediaType
            : StatusCodes.Status200OK;
        if (httpStatus == StatusCodes.Status200OK) return true;

        // Both languages: an HTTP client reads the status line, a gRPC client the grpc-status.
        var response = context.GetRequiredFeature<IHttpResponseFeature>();
        response.StatusCode = httpStatus;
        SetStatus(response.Headers, new Status(StatusCode.Unknown, "a gRPC call is a POST with content-type application/grpc"));
        return false;
    }

    private static void SetStatus(IHeaderDictionary headers, in Status status)
    {
        headers.ContentType = WireNames.ContentType;
        headers.GrpcStatus = ((int)status.StatusCode).ToString(System.Globalization.CultureInfo.InvariantCulture);
        headers.GrpcMessage = PercentEncoding.Encode(status.Detail, WireNames.MessageCharactersMax);
    }

    private async Task ServeAsync(IFeatureCollection context, BoundMethod method)
    {
        long startedAt = options.Time.GetTimestamp();
        foreach (var observer in options.Observers) observer.CallStarted(method.FullName);

        using var call = new ServerCall(context, method, options);
        var status = await call.RunAsync(_log);

        if (options.Observers.Count == 0) return;
        var report = new RpcCallReport(method.FullName, status.StatusCode, options.Time.GetElapsedTime(startedAt),
            call.Requests.TotalBytes, call.Responses.TotalBytes);
        foreach (var observer in options.Observers) observer.CallFinished(report);
    }

    private Task RefuseUnknown(IFeatureCollection context, string path)
    {
        string what = _services.Contains(ServiceOf(path)) ? "method" : "service";
        SetStatus(context.GetRequiredFeature<IHttpResponseFeature>().Headers,
            new Status(StatusCode.Unimplemented, $"unknown {what} {path}"));

        var report = new RpcCallReport(RpcCallReport.UnknownMethod, StatusCode.Unimplemented, TimeSpan.Zero, 0, 0);
        foreach (var observer in options.Observers)
        {
            observer.CallStarted(RpcCallReport.UnknownMethod);
            observer.CallFinished(report);
        }

        return Task.CompletedTask;
    }
}
