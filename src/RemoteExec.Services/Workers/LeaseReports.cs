using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using Lease = RemoteExec.Scheduling.Lease;

namespace RemoteExec.Services;

/// <summary>
/// Turns a worker's report into the outcome of an execution: nothing is announced before all its outputs are stored
/// (REAPI X16), and the response is serialised here, once, for the journal and for all who wait.
/// </summary>
internal sealed class LeaseReports(IBlobStore store, ServicesOptions options, TimeProvider clock)
{
    private readonly ResultOutputs _outputs = new(store, options);

    public async ValueTask<ExecutionOutcome> ToOutcomeAsync(
        Lease lease, DateTimeOffset leasedAt, string worker, LeaseFinished report, CancellationToken cancellationToken)
    {
        if (report.Usage is { } usage) options.Observer.ActionUsed(usage);
        var status = report.Status ?? new RpcStatus();
        var result = report.Result;
        if (status.Code == (int)StatusCode.OK && result is null)
            return InfrastructureFailure(worker, "reported success without a result");

        if (result is not null)
        {
            Complete(result, lease, worker);
            if (await FindFaultAsync(result, lease.Request.Action, cancellationToken) is { } fault)
                return InfrastructureFailure(worker, fault);
        }

        var response = new ExecuteResponse
        {
            Result = result,
            Status = status,
            Message = ExecutionStory.OfRun(lease.Id.Execution, worker, lease.Id.Attempt, leasedAt - lease.QueuedAt, report.Message, options.WebAddress),
        };
        bool ran = status.Code == (int)StatusCode.OK;
        return new ExecutionOutcome
        {
            Code = System.Enum.IsDefined((OutcomeCode)status.Code) ? (OutcomeCode)status.Code : OutcomeCode.Unknown,
            Message = ran ? report.Message : status.Message,
            Response = response.ToByteArray(),
            Written = new ResponseMessage(response),
            // REAPI A7: a status that is not OK, a failed command and do_not_cache keep a result out of the cache.
            IsCacheWorthy = ran && result!.ExitCode == 0 && !lease.Request.DoNotCache, // a run has a result
            Blame = BlameOf((StatusCode)status.Code),
            ExitCode = result?.ExitCode,
            Stages = result is null ? [] : StageDurations.Of(result.ExecutionMetadata, clock.GetUtcNow()),
        };
    }

    /// <summary>The execution is tried elsewhere, and if this was the last attempt the client reads the story.</summary>
    private static ExecutionOutcome InfrastructureFailure(string worker, string fault) => new()
    {
        Code = OutcomeCode.Unavailable,
        Message = $"worker {worker} {fault}",
        Blame = Blame.Worker,
    };

    // See worker.proto, LeaseFinished.status.
    private static Blame BlameOf(StatusCode code) => code switch
    {
        StatusCode.OK => Blame.None,
        StatusCode.Unavailable or StatusCode.Internal => Blame.Worker,
        StatusCode.DeadlineExceeded or StatusCode.ResourceExhausted => Blame.Action,
        _ => Blame.Client,
    };

    // REAPI T1: the worker fills eight of the nine timestamps and was told the ninth, which is ours all the same.
    private static void Complete(ActionResult result, Lease lease, string worker)
    {
        var metadata = result.ExecutionMetadata ??= new ExecutedActionMetadata();
        metadata.QueuedTimestamp = Timestamp.FromDateTimeOffset(lease.QueuedAt);
        if (metadata.Worker.Length == 0) metadata.Worker = worker;
    }

    private async ValueTask<string?> FindFaultAsync(ActionResult result, Digest action, CancellationToken cancellationToken)
    {
        try
        {
            var missing = await _outputs.FindMissingAsync(result, action, cancellationToken);
            return missing.Count == 0 ? null : $"reported {missing.Count} outputs that are not stored, the first is {missing[0]}";
        }
        catch (RpcException malformed) when (malformed.StatusCode == StatusCode.InvalidArgument)
        {
            return $"reported a malformed result: {malformed.Status.Detail}";
        }
    }
}
