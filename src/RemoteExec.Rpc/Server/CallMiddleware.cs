using System.Globalization;
using Grpc.Core;
using Microsoft.AspNetCore.Http;

namespace RemoteExec.Rpc;

/// <summary>From an HTTP/2 stream to a method: holds a <see cref="RpcCall"/> around it, tells the observers, and refuses what is no call.</summary>
internal sealed class CallMiddleware(RequestDelegate next, RpcServerOptions options, CallFailures failures, CancellationToken leaving)
{
    private readonly ObservedCalls _observed = new(options.Observers);

    public Task InvokeAsync(HttpContext context)
    {
        if (FindMethod(context) is { } method) return ServeAsync(context, method);

        ClientFrames.Of(context)?.Read(ClientFrames.StreamOf(context));
        return Task.CompletedTask;
    }

    /// <summary>Null is refused already.</summary>
    private ServedMethod? FindMethod(HttpContext context)
    {
        if (!IsCall(context)) return null;
        if (BinaryMetadata.FindBroken(context.Request.Headers) is { } broken)
        {
            Refuse(context, StatusCode.Internal, $"header {broken} is not base64");
            return null;
        }

        var method = context.GetEndpoint()?.Metadata.GetMetadata<ServedMethod>();
        if (method is null) RefuseUnknown(context);
        return method;
    }

    private static bool IsCall(HttpContext context)
    {
        int httpStatus = !HttpMethods.IsPost(context.Request.Method) ? StatusCodes.Status405MethodNotAllowed
            : !IsGrpc(context.Request.ContentType) ? StatusCodes.Status415UnsupportedMediaType
            : StatusCodes.Status200OK;
        if (httpStatus == StatusCodes.Status200OK) return true;

        // Both languages: an HTTP client reads the status line, a gRPC client the grpc-status.
        context.Response.StatusCode = httpStatus;
        Refuse(context, StatusCode.Unknown, "a gRPC call is a POST with content-type application/grpc");
        return false;
    }

    /// <summary><c>application/grpc</c>, alone or with a <c>+proto</c> kind or a parameter behind it.</summary>
    private static bool IsGrpc(string? contentType)
    {
        const string grpc = "application/grpc";
        return contentType is not null
            && contentType.StartsWith(grpc, StringComparison.OrdinalIgnoreCase)
            && (contentType.Length == grpc.Length || contentType[grpc.Length] is '+' or ';');
    }

    private static void Refuse(HttpContext context, StatusCode code, string detail)
    {
        var headers = context.Response.Headers;
        headers.ContentType = "application/grpc";
        headers.GrpcStatus = ((int)code).ToString(CultureInfo.InvariantCulture);
        headers.GrpcMessage = StatusText.Encode(StatusText.Cut(detail));
    }

    private async Task ServeAsync(HttpContext context, ServedMethod method)
    {
        long startedAt = options.Time.GetTimestamp();
        using var call = new RpcCall(context, method, options, leaving);
        context.Features.Set(call);
        _observed.Started(method.FullName);
        try
        {
            await next(context);
            call.MendRefusal(failures);
            await call.SendRestAsync(failures);
        }
        finally
        {
            if (_observed.IsWatched)
            {
                _observed.Finished(new RpcCallReport(
                    method.FullName, call.Outcome(), options.Time.GetElapsedTime(startedAt), call.ReceivedBytes, call.SentBytes));
            }
        }
    }

    private void RefuseUnknown(HttpContext context)
    {
        failures.NoteUnknown(context.Request.Path);
        Refuse(context, StatusCode.Unimplemented, $"{context.Request.Path} is not offered by this server");
        _observed.Started(RpcCallReport.UnknownMethod);
        _observed.Finished(new RpcCallReport(RpcCallReport.UnknownMethod, StatusCode.Unimplemented, TimeSpan.Zero, 0, 0));
    }
}
