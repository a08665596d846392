using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// A failure of a stage as it is reported: whose fault, and in which words. The one place where an exception of an attempt becomes a
/// status.
/// </summary>
internal readonly record struct Failure(Blame Blame, RpcStatus Status)
{
    public static Failure Of(Stage stage, Exception exception, string worker)
    {
        var kind = KindOf(exception);
        var blame = BlameTable.Of(stage, kind);
        var told = (exception as RpcException)?.ToStatus();
        // Whose mistake it is reads the sentence as it was written.
        if (blame != Blame.Worker) return new Failure(blame, told ?? new RpcStatus { Code = (int)CodeOf(blame, kind), Message = exception.Message });

        return new Failure(blame, new RpcStatus
        {
            // Never the code of a store: RESOURCE_EXHAUSTED is something else to a client than a full cache of ours.
            Code = kind is FailureKind.Amiss && told is not null ? told.Code : (int)CodeOf(blame, kind),
            Message = $"worker {worker}: {told?.Message ?? exception.Message}",
        });
    }

    public static FailureKind KindOf(Exception exception) => exception switch
    {
        StoreFailure { Owner: StoreOwner.Worker, StatusCode: StatusCode.InvalidArgument } => FailureKind.OwnStoreContent,
        StoreFailure { Owner: StoreOwner.Worker } => FailureKind.OwnStore,
        StoreFailure { StatusCode: StatusCode.InvalidArgument or StatusCode.OutOfRange } => FailureKind.SharedStoreRefusal,
        StoreFailure => FailureKind.SharedStore,
        RpcException { StatusCode: StatusCode.InvalidArgument } => FailureKind.Malformed,
        RpcException { StatusCode: StatusCode.FailedPrecondition } => FailureKind.Unmet,
        RpcException { StatusCode: StatusCode.ResourceExhausted } => FailureKind.TooMuch,
        RpcException => FailureKind.Amiss,
        PathTooLongException => FailureKind.Name,
        // Ours, about names of the action's. The base library's are about files of the worker's own.
        FileSystemException { Errno: Errno.ENAMETOOLONG or Errno.ELOOP or Errno.ENOTDIR or Errno.EISDIR or Errno.EEXIST } => FailureKind.Name,
        IOException or UnauthorizedAccessException => FailureKind.Machine,
        _ => FailureKind.Unknown,
    };

    private static StatusCode CodeOf(Blame blame, FailureKind kind) => blame switch
    {
        Blame.Client => StatusCode.InvalidArgument,
        Blame.Action => StatusCode.FailedPrecondition,
        _ => kind == FailureKind.Unknown ? StatusCode.Internal : StatusCode.Unavailable,
    };
}
