using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Rpc;

/// <summary>The one place where an exception becomes a status.</summary>
internal static partial class CallFailures
{
    public static Status ToStatus(Exception exception, ServerCall call, ILogger log)
    {
        // Once the stream is gone, whatever broke inside broke because of it.
        if (call.IsAborted) return OfAborted(call, exception);

        switch (exception)
        {
            case RpcException rpc:
                if (rpc.Status.DebugException is { } inner) LogRefused(log, call.Method, rpc.StatusCode, inner);
                return rpc.StatusCode == StatusCode.OK
                    ? new Status(StatusCode.Internal, "the handler failed without a code")
                    : rpc.Status;

            case OperationCanceledException when call.IsPastDeadline:
                return new Status(StatusCode.DeadlineExceeded, "the deadline has passed", exception);

            case OperationCanceledException:
                return new Status(StatusCode.Cancelled, "the call was cancelled", exception);

            default:
                // The text of an unexpected exception may hold paths and secrets: it goes to the log only.
                LogBug(log, call.Method, exception);
                return new Status(StatusCode.Internal, "internal error; the server's log has more", exception);
        }
    }

    /// <summary>What became of a call whose stream was reset, by either side. Nobody reads this status but us.</summary>
    public static Status OfAborted(ServerCall call, Exception? exception)
    {
        if (call.IsPastDeadline) return new Status(StatusCode.DeadlineExceeded, "the deadline has passed", exception);
        return call.HasStalled
            ? new Status(StatusCode.DeadlineExceeded, "the client has taken nothing for too long", exception)
            : new Status(StatusCode.Cancelled, "the client has left", exception);
    }

    [LoggerMessage(1, LogLevel.Error, "rpc failed unexpectedly: {Method}")]
    private static partial void LogBug(ILogger log, string method, Exception exception);

    [LoggerMessage(2, LogLevel.Debug, "rpc refused: {Method} {StatusCode}")]
    private static partial void LogRefused(ILogger log, string method, StatusCode statusCode, Exception exception);
}
