using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Rpc;

/// <summary>The one place where an exception becomes a status.</summary>
internal sealed partial class CallFailures(RpcServerOptions options, ILogger log)
{
    private const int UnknownNamesMax = 100;

    private readonly ConcurrentDictionary<string, byte> _unknown = new();

    /// <summary>What a handler threw.</summary>
    public RpcException ToRpc(Exception exception, RpcCall call)
    {
        if (call.HasClientLeft) return OfLeft(exception, call);
        if (exception is MessageCutShortException { InnerException: { } reason })
        {
            call.ResetBroken();
            exception = reason;
        }

        switch (exception)
        {
            case RpcException rpc:
                return ToTellable(rpc, call);
            // Its token has fired, or the package takes no more writes because of it.
            case OperationCanceledException or InvalidOperationException when call.IsEnded:
                return options.Leaving();
            case OperationCanceledException:
                return Failure(StatusCode.Cancelled, "the call was cancelled", exception);
        }

        if (options.Failures(exception) is { } known) return ToTellable(known, call);
        // The text of an unexpected exception may hold paths and secrets: it goes to the log only.
        LogBug(log, call.Method.FullName, exception);
        return Failure(StatusCode.Internal, "internal error; the server's log has more", exception);
    }

    /// <summary>What reading a request threw, in Grpc.AspNetCore or in a marshaller.</summary>
    public RpcException OfRequest(Exception exception, RpcCall call)
    {
        if (call.HasClientLeft) return OfLeft(OfPackage(exception, call), call);
        return exception switch
        {
            // The package's refusal of a size; with 2 GiB and more it is another type, from which that of a parser is derived.
            _ when exception is RpcException { StatusCode: StatusCode.ResourceExhausted } || exception.GetType() == typeof(IOException) => call.Method.Limits.TooLarge ?? Failure(
                StatusCode.ResourceExhausted,
                $"a message is over the limit of {call.Method.Limits.ReceiveBytesMax ?? options.ReceiveBytesMax} bytes", exception),
            // Not the message's fault: the package reads no more of a call that is over.
            RpcException or OperationCanceledException or InvalidOperationException => ToRpc(OfPackage(exception, call), call),
            _ => Failure(StatusCode.Internal, "the request is not a valid message", exception),
        };
    }

    /// <summary>What the end of its stream did to somebody who waited for it.</summary>
    public void OfEnding(Exception exception) => LogEnding(log, exception);

    /// <summary>Nobody reads the answer any more. What broke because the stream is gone is no news; a bug is one all the same.</summary>
    public RpcException OfLeft(Exception exception, RpcCall call)
    {
        if (IsOfLeaving(exception) || options.Failures(exception) is not null) LogLeft(log, call.Method.FullName, exception);
        else LogBug(log, call.Method.FullName, exception);
        return Failure(StatusCode.Cancelled, "the client has left", exception);
    }

    /// <summary>
    /// What a stream of the package failed with. Of a call that is over it refuses reads and writes by tasks that nobody has thrown into,
    /// so nothing but the place that awaits them tells them from a mistake of ours.
    /// </summary>
    public static Exception OfPackage(Exception exception, RpcCall call) =>
        exception is InvalidOperationException && (call.HasClientLeft || call.IsEnded)
            ? new OperationCanceledException("the call is over", exception)
            : exception;

    /// <summary>
    /// What a stream that is gone is told by. InvalidOperationException, with ObjectDisposedException below it, is also the mark of many a
    /// mistake: it counts as the stream's where the transport or the package has thrown it.
    /// </summary>
    private static bool IsOfLeaving(Exception exception) => exception switch
    {
        OperationCanceledException or RpcException or IOException => true,
        MessageCutShortException { InnerException: { } reason } => IsOfLeaving(reason),
        AggregateException several => several.InnerExceptions.All(IsOfLeaving),
        InvalidOperationException { Source: { } thrower } =>
            thrower.StartsWith("Grpc.", StringComparison.Ordinal)
            || thrower.StartsWith("Microsoft.AspNetCore.", StringComparison.Ordinal)
            || thrower is "System.IO.Pipelines",
        _ => false,
    };

    /// <summary>A call of something that is not served: one line for each name, since a client that wants it asks again and again.</summary>
    public void NoteUnknown(string path)
    {
        // Names are the clients' own: there must be an end to remembering them.
        if (_unknown.Count < UnknownNamesMax && _unknown.TryAdd(path, 0)) LogUnknown(log, path);
    }

    private static RpcException Failure(StatusCode code, string detail, Exception reason) => new(new Status(code, detail, reason));

    private RpcException ToTellable(RpcException failure, RpcCall call)
    {
        var status = failure.Status;
        if (status.DebugException is { } inner) LogRefused(log, call.Method.FullName, status.StatusCode, inner);
        if (status.StatusCode == StatusCode.OK) return Failure(StatusCode.Internal, "the handler failed without a code", failure);

        // What generated code says for a method that nobody has written is nothing at all.
        bool isUnwritten = status is { StatusCode: StatusCode.Unimplemented, Detail: "" };
        string detail = isUnwritten ? $"{call.Method.FullName} is not offered by this server" : StatusText.Cut(status.Detail);
        return detail == status.Detail ? failure : new RpcException(new Status(status.StatusCode, detail, status.DebugException), failure.Trailers);
    }

    [LoggerMessage(1, LogLevel.Error, "rpc failed unexpectedly: {Method}", EventName = "rpc_failed_unexpectedly")]
    private static partial void LogBug(ILogger log, string method, Exception exception);

    [LoggerMessage(3, LogLevel.Debug, "rpc left by its client: {Method}", EventName = "rpc_left")]
    private static partial void LogLeft(ILogger log, string method, Exception exception);

    [LoggerMessage(4, LogLevel.Error, "rpc streams ended with a failure", EventName = "rpc_ending_failed")]
    private static partial void LogEnding(ILogger log, Exception exception);

    [LoggerMessage(2, LogLevel.Debug, "rpc refused: {Method} {StatusCode}", EventName = "rpc_refused")]
    private static partial void LogRefused(ILogger log, string method, StatusCode statusCode, Exception exception);

    [LoggerMessage(5, LogLevel.Information, "a client called {Method}, which is not offered by this server; further calls of it are not told", EventName = "unknown_method")]
    private static partial void LogUnknown(ILogger log, string method);
}
