using System.Globalization;
using System.Net;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>What a failure below gRPC means above it.</summary>
internal static class TransportFailures
{
    /// <summary>gRPC over HTTP/2, "HTTP2 Transport Mapping", errors.</summary>
    public static Status FromException(Exception exception, Uri address)
    {
        for (Exception? cause = exception; cause is not null; cause = cause.InnerException)
            if (cause is HttpProtocolException protocol)
                return new Status(FromHttp2Error(protocol), $"{address}: {protocol.Message}", exception);

        // Could not connect, or lost the connection: somebody else, or we later, may do better.
        return exception is HttpRequestException or IOException || IsConnectFailure(exception)
            ? new Status(StatusCode.Unavailable, $"{address}: {exception.GetBaseException().Message}", exception)
            : new Status(StatusCode.Internal, $"{address}: {exception.Message}", exception);
    }

    /// <summary>True when there is no connection: what a call waits out that waits for ready.</summary>
    public static bool IsConnectFailure(Exception? exception) => exception switch
    {
        HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError } => true,
        // Nobody cancelled: SocketsHttpHandler reports its ConnectTimeout so.
        OperationCanceledException { InnerException: TimeoutException } => true,
        _ => false,
    };

    /// <summary>An answer that is no gRPC (gRPC's http-grpc-status-mapping.md).</summary>
    public static Status FromHttpStatus(HttpStatusCode httpStatus) => new(httpStatus switch
    {
        HttpStatusCode.BadRequest => StatusCode.Internal,
        HttpStatusCode.Unauthorized => StatusCode.Unauthenticated,
        HttpStatusCode.Forbidden => StatusCode.PermissionDenied,
        HttpStatusCode.NotFound => StatusCode.Unimplemented,
        HttpStatusCode.TooManyRequests or HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable
            or HttpStatusCode.GatewayTimeout => StatusCode.Unavailable,
        _ => StatusCode.Unknown,
    }, string.Create(CultureInfo.InvariantCulture, $"the server answered with HTTP status {(int)httpStatus}"));

    private static StatusCode FromHttp2Error(HttpProtocolException exception) => exception.ErrorCode switch
    {
        0x7 => StatusCode.Unavailable, // REFUSED_STREAM: not processed
        0x8 when IsStreamReset(exception) => StatusCode.Cancelled, // CANCEL
        0xB => StatusCode.ResourceExhausted, // ENHANCE_YOUR_CALM
        0xC => StatusCode.PermissionDenied, // INADEQUATE_SECURITY
        // The rest of the table is about RST_STREAM. A connection that ends, by GOAWAY (a server that restarts sends
        // NO_ERROR), by a broken frame or by a ping without an answer, is a lost connection.
        _ => IsStreamReset(exception) ? StatusCode.Internal : StatusCode.Unavailable,
    };

    // One type and the same codes stand for both; only the sentence, which .NET does not translate, tells them apart.
    private static bool IsStreamReset(HttpProtocolException exception) =>
        exception.Message.Contains("reset the stream", StringComparison.Ordinal);
}
