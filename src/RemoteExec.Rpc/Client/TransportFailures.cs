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
                return new Status(FromHttp2Error(protocol.ErrorCode), $"{address}: {protocol.Message}", exception);

        // Could not connect, or lost the connection: somebody else, or we later, may do better.
        return exception is HttpRequestException or IOException
            ? new Status(StatusCode.Unavailable, $"{address}: {exception.GetBaseException().Message}", exception)
            : new Status(StatusCode.Internal, $"{address}: {exception.Message}", exception);
    }

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

    private static StatusCode FromHttp2Error(long errorCode) => errorCode switch
    {
        0x7 => StatusCode.Unavailable, // REFUSED_STREAM: not processed
        0x8 => StatusCode.Cancelled, // CANCEL
        0xB => StatusCode.ResourceExhausted, // ENHANCE_YOUR_CALM
        0xC => StatusCode.PermissionDenied, // INADEQUATE_SECURITY
        _ => StatusCode.Internal,
    };
}
