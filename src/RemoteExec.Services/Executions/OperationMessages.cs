using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>
/// Operations on the wire. <c>error</c> is never set (REAPI E6): what went wrong with a run travels in ExecuteResponse.status.
/// </summary>
internal static class OperationMessages
{
    private static readonly System.Buffers.SearchValues<char> HexDigits = System.Buffers.SearchValues.Create("0123456789abcdef");
    private static readonly string ResponseTypeUrl = "type.googleapis.com/" + ExecuteResponse.Descriptor.FullName;

    private const string NamePrefix = "operations/";

    /// <summary>Whether this could be the name of an operation.</summary>
    public static bool IsName(string text) =>
        text.StartsWith(NamePrefix, StringComparison.Ordinal) && text.Length == NamePrefix.Length + 32 && text.AsSpan(NamePrefix.Length).IndexOfAnyExcept(HexDigits) < 0;

    /// <param name="web">Where the web page is, for those that the scheduler ended: what a worker reported has its address in it.</param>
    public static Operation ToWire(OperationSnapshot operation, Uri? web)
    {
        var metadata = Metadata((ExecutionStage.Types.Value)(int)operation.Stage, operation.Request.Action);
        metadata.PartialExecutionMetadata = new ExecutedActionMetadata
        {
            Worker = operation.WorkerId ?? "",
            QueuedTimestamp = Timestamp.FromDateTimeOffset(operation.QueuedAt),
        };
        if (operation.Stage != OperationStage.Queued && operation.Attempt > 0)
        {
            // Also at the end: they name the attempt that the result is of, for a client that has shown some of its output.
            var lease = new LeaseId(operation.Execution, operation.Attempt);
            metadata.StdoutStreamName = new LogStreamName(operation.Request.Instance, lease, OutputStream.Stdout).ToString();
            metadata.StderrStreamName = new LogStreamName(operation.Request.Instance, lease, OutputStream.Stderr).ToString();
        }

        var wire = new Operation { Name = operation.Name, Metadata = Any.Pack(metadata), Done = operation.IsDone };
        if (operation.Outcome is { } outcome) wire.Response = Response(operation, outcome, web);
        return wire;
    }

    /// <summary>An operation that was over before anything was queued: a cache hit, or inputs that are missing.</summary>
    public static Operation Immediate(string name, Digest action, ExecuteResponse response) => new()
    {
        Name = name,
        Metadata = Any.Pack(Metadata(ExecutionStage.Types.Value.Completed, action)),
        Done = true,
        Response = Any.Pack(response),
    };

    /// <summary>The response of a finished operation, to be changed for one client.</summary>
    public static ExecuteResponse ParseResponse(OperationSnapshot done, Uri? web)
    {
        var outcome = done.Outcome!; // done has an outcome
        if (!outcome.Response.IsEmpty) return ExecuteResponse.Parser.ParseFrom(outcome.Response.Span);

        var status = new RpcStatus { Code = (int)outcome.Code, Message = outcome.Message };
        // What was never leased never ran, and has no page worth a visit.
        if (done.Attempt > 0) status = ExecutionStory.WithPage(status, done.Execution, web);
        var response = new ExecuteResponse { Status = status, Message = status.Message };
        FaultLog.AddTo(response, done);
        return response;
    }

    // The response was serialised once, when the worker reported; it goes to every waiter as those bytes.
    private static Any Response(OperationSnapshot done, ExecutionOutcome outcome, Uri? web) => outcome.Response.IsEmpty
        ? Any.Pack(ParseResponse(done, web))
        : new Any { TypeUrl = ResponseTypeUrl, Value = UnsafeByteOperations.UnsafeWrap(outcome.Response) };

    private static ExecuteOperationMetadata Metadata(ExecutionStage.Types.Value stage, Digest action) => new()
    {
        Stage = stage,
        ActionDigest = action.ToWire(),
        DigestFunction = action.Function.ToWire(),
    };
}
