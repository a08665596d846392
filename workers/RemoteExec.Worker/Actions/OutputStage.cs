using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>The last stage: what the command left becomes blobs and a result, or a status that says why there is none.</summary>
/// <param name="results">Where results go that are too large for a message: the coordinator's store.</param>
internal sealed class OutputStage(
    WorkerOptions options, OutputCollector collector, OutputUploader? uploader, ILocalBlobStore store, IBlobStore results, StorePatience patience, Func<Limits> limits)
{
    public async ValueTask TakeAsync(Attempt attempt, FetchedAction action, CommandRun run, CancellationToken cancellationToken)
    {
        var report = attempt.Report;
        var verdict = RunVerdict.Of(run.Report, run.Spec, action.Action.Timeout is not null);
        report.Status = verdict.ToStatus();
        report.Blame = verdict.Blame;
        report.Message = verdict.Message.Length == 0 ? "" : $"{verdict.Message} on worker {options.WorkerId}";
        if (!verdict.HasLogs) return;

        var function = action.Action.Digest.Function;
        var (result, outputs) = verdict.HasResult
            ? await CollectAsync(report, action, run, cancellationToken)
            : (new ActionResult { ExitCode = run.Report.ExitCode }, new CollectedOutputs());
        await StoreLogsAsync(result, run, function, outputs, cancellationToken);
        TellDropped(report, run);
        report.Usage.OutputBytes = outputs.Digests.Sum(digest => digest.SizeBytes);
        if (uploader is not null) await uploader.UploadAsync(outputs, cancellationToken);

        attempt.Clock.OutputUploadCompleted();
        result.ExecutionMetadata = attempt.Complete();
        await AttachAsync(report, result, function, cancellationToken);
    }

    /// <summary>
    /// What the command left. What is wrong with that is a second fault, and never hides the first: a command that failed has its
    /// exit code told; and always its logs, and what is right of its outputs.
    /// </summary>
    private async ValueTask<(ActionResult Result, CollectedOutputs Outputs)> CollectAsync(
        ReportRequest report, FetchedAction action, CommandRun run, CancellationToken cancellationToken)
    {
        var result = new ActionResult { ExitCode = run.Report.ExitCode };
        var outputs = await collector.CollectAsync(
            run.Spec.InputRootPath, action.Command, action.Action.Digest.Function, result, cancellationToken);
        report.Outputs = OutputTally.Of(action.Command, result);
        if (outputs.Bad is not { } bad) return (result, outputs);

        var failure = Failure.Of(Stage.Take, bad, options.WorkerId);
        if (run.Report.ExitCode == 0) (report.Status, report.Blame) = (failure.Status, failure.Blame);
        report.Message = report.Message.Length == 0 ? failure.Status.Message : $"{report.Message}; {failure.Status.Message}";
        return (result, outputs);
    }

    private async ValueTask StoreLogsAsync(
        ActionResult result, CommandRun run, DigestFunction function, CollectedOutputs outputs, CancellationToken cancellationToken)
    {
        var stdout = await StoreAsync(run.Stdout, function, outputs, cancellationToken);
        result.StdoutRaw = UnsafeByteOperations.UnsafeWrap(stdout.Inline);
        result.StdoutDigest = stdout.Digest?.ToWire();
        var stderr = await StoreAsync(run.Stderr, function, outputs, cancellationToken);
        result.StderrRaw = UnsafeByteOperations.UnsafeWrap(stderr.Inline);
        result.StderrDigest = stderr.Digest?.ToWire();
    }

    private async ValueTask<StoredLog> StoreAsync(
        ActionLog log, DigestFunction function, CollectedOutputs outputs, CancellationToken cancellationToken)
    {
        int inlineBytesMax = options.OutputLimits.InlineLogBytesMax;
        var stored = await log.StoreAsync(store, function, inlineBytesMax, cancellationToken);
        if (stored.Digest is { } digest)
            outputs.Add(digest, async cancelled => await log.StoreAsync(store, function, inlineBytesMax, cancelled));
        return stored;
    }

    /// <summary>What is missing of a log is told beside it: a line of ours inside would be taken for the command's own, or break what is data.</summary>
    private static void TellDropped(ReportRequest report, CommandRun run)
    {
        report.Usage.StdoutDroppedBytes = run.Stdout.DroppedBytes;
        report.Usage.StderrDroppedBytes = run.Stderr.DroppedBytes;
        foreach (var (name, log) in (ReadOnlySpan<(string, ActionLog)>)[("stdout", run.Stdout), ("stderr", run.Stderr)])
        {
            if (log.DroppedBytes == 0) continue;

            report.Usage.LogHeadBytes = log.HeadBytes;
            string line = $"{name} was too long: {log.DroppedBytes} bytes after the first {log.HeadBytes} are missing, its end is kept";
            report.Message = report.Message.Length == 0 ? line : $"{report.Message}; {line}";
        }
    }

    /// <summary>A message has a bound and the number of outputs has none, so a large result goes as a blob.</summary>
    private async ValueTask AttachAsync(ReportRequest report, ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        int bytes = result.CalculateSize();
        if (bytes > limits().ResultBytesMax)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the result lists so many outputs that it takes {bytes} bytes; {limits().ResultBytesMax} are possible");

        if (bytes <= limits().InlineResultBytesMax)
            report.InlineResult = result;
        else
            report.ResultDigest = (await patience.AskAsync(() => results.WriteAllAsync(function, result.ToByteArray(), cancellationToken), cancellationToken)).ToWire();
    }
}
