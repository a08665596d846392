using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What the stream of an execution brought.</summary>
internal sealed record Run(WireDigest Action, IReadOnlyList<Operation> Updates)
{
    public Operation Last => Updates[^1];

    public ExecuteResponse Response => Last.Response.Unpack<ExecuteResponse>();

    /// <summary>Of the execution, not of the call.</summary>
    public StatusCode Status => (StatusCode)(Response.Status?.Code ?? 0);

    public ActionResult Result => Response.Result;

    public IEnumerable<ExecuteOperationMetadata> Metadata => Updates.Select(MetadataOf);

    public string StatusName => StatusNames.Of(Status);

    public static ExecuteOperationMetadata MetadataOf(Operation operation) =>
        operation.Metadata?.Unpack<ExecuteOperationMetadata>() ?? new ExecuteOperationMetadata();
}
