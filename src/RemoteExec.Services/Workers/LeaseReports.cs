using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using Blame = RemoteExec.Scheduling.Blame;
using LeaseId = RemoteExec.Scheduling.LeaseId;

namespace RemoteExec.Services;

/// <summary>
/// Turns a worker's report into the outcome of an execution: nothing is announced before all its outputs are stored
/// (REAPI X16), and the response is serialised here, once, for the journal and for all who wait. Whatever comes in the way is an outcome, too: a report that
/// cannot be checked is the failure of its action, and of nothing else.
/// </summary>
internal sealed class LeaseReports(IBlobStore store, ServicesOptions options, TimeProvider clock)
{
    private readonly ResultOutputs _outputs = new(store, options);
    private readonly Inlining _inlining = new(store, options);

    /// <summary>For a report that nobody waits for: it is answered without being looked at.</summary>
    public static ExecutionOutcome Unread { get; } = new() { Code = OutcomeCode.Unavailable, Blame = Blame.Worker };

    /// <summary>Throws only when <paramref name="cancellationToken"/> says so.</summary>
    public async ValueTask<ExecutionOutcome> ToOutcomeAsync(
        LeaseId id, HeldLease lease, ReportRequest report, CancellationToken cancellationToken)
    {
        try
        {
            return await CheckAsync(id, lease, report, cancellationToken);
        }
        catch (Exception obstacle) when (!cancellationToken.IsCancellationRequested)
        {
            return UncheckedReport.Of(obstacle, lease.WorkerId);
        }
    }

    private async ValueTask<ExecutionOutcome> CheckAsync(LeaseId id, HeldLease lease, ReportRequest report, CancellationToken cancellationToken)
    {
        var status = WorkerWords.Clean(report.Status ?? new RpcStatus());
        string said = WorkerWords.Sentence(report.Message);
        bool ran = status.Code == (int)StatusCode.OK;
        var result = await FindResultAsync(lease.Request.Action.Function, report, cancellationToken);
        if (ran && result is null) throw RpcErrors.Invalid("success without a result");

        bool isWhole = true;
        IReadOnlyList<Digest> outputs = [];
        if (result is not null)
        {
            Complete(result, lease);
            var kind = ResultPriority.ToPromise(lease.Request.ResultPriority);
            (var missing, outputs) = await _outputs.FindAsync(result, lease.Request.Action, kind, cancellationToken);
            if (missing.Count > 0) throw RpcErrors.Of(StatusCode.NotFound, $"{missing.Count} outputs that are not stored, the first is {missing[0]}");
            // REAPI A2: what nobody asked for is not inlined. Whoever asks gets it put in again.
            var logs = await _inlining.TryStripAsync(result, lease.Request.Action.Function, cancellationToken);
            isWhole = logs is not null;
            await _outputs.JoinAsync(outputs, logs ?? [], kind, cancellationToken);
        }

        bool isSuccess = ran && result!.ExitCode == 0; // a run has a result
        string? fault = isSuccess && !lease.Request.DoNotCache ? MissingOutputs.ReasonNotToCache(report.Outputs, options.IncompleteResults) : null;
        var response = new ExecuteResponse
        {
            Result = result,
            Status = ran ? status : ExecutionStory.WithPage(status, id.Execution, options.WebAddress),
            Message = ran && !isSuccess && said.Length == 0
                ? ExecutionStory.OfFailedCommand(id.Execution, options.WebAddress)
                : ExecutionStory.OfRun(
                    id.Execution, lease.WorkerId, lease.Tries, lease.InLine, Remark(fault, said), options.WebAddress),
        };
        return new ExecutionOutcome
        {
            Code = (OutcomeCode)status.Code,
            Message = ran ? said : status.Message,
            Response = response.ToByteArray(),
            Written = new ResponseMessage(new WrittenResponse(response, outputs)),
            // REAPI A7: a status that is not OK, a failed command and do_not_cache keep a result out of the cache.
            IsCacheWorthy = isSuccess && isWhole && fault is null && !lease.Request.DoNotCache,
            Blame = ran ? Blame.None : WorkerMessages.FromWire(report.Blame),
            ExitCode = result?.ExitCode,
            Stages = result is null ? [] : StageDurations.Of(result.ExecutionMetadata, clock.GetUtcNow()),
        };
    }

    private async ValueTask<ActionResult?> FindResultAsync(DigestFunction function, ReportRequest report, CancellationToken cancellationToken)
    {
        if (report.ResultCase != ReportRequest.ResultOneofCase.ResultDigest) return report.InlineResult;

        var digest = WireDigests.FromWire(report.ResultDigest, function, "result_digest");
        var blob = await store.ReadAllAsync(digest, options.Limits.ResultBytesMax, cancellationToken)
            ?? throw RpcErrors.Of(StatusCode.NotFound, $"a result that is not stored, {digest}");
        return WireMessages.Parse(ActionResult.Parser, blob, digest);
    }

    private static string Remark(string? fault, string message) =>
        fault is null ? message : message.Length == 0 ? fault : $"{fault}; {message}";

    // REAPI T1: the worker fills eight of the nine timestamps and was told the ninth, which is ours all the same.
    private void Complete(ActionResult result, HeldLease lease)
    {
        var metadata = result.ExecutionMetadata ??= new ExecutedActionMetadata();
        WorkerWords.CheckTimes(metadata);
        metadata.QueuedTimestamp = Timestamp.FromDateTimeOffset(lease.QueuedAt);
        metadata.Worker = lease.WorkerId; // whatever name it gives itself there
        PublicUsage.MakePublic(result);
        if (!options.TellsBuildbarnUsage) PublicUsage.DropBuildbarn(result);
        IgnoredProperties.Record(metadata, lease.Ignored);
    }
}
