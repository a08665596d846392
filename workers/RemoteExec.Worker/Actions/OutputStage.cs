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
    WorkerOptions options, OutputCollector collector, OutputUploader? uploader, ILocalBlobStore store, IBlobStore results, Func<Limits> limits)
{
    public async ValueTask TakeAsync(Attempt attempt, FetchedAction action, CommandRun run, CancellationToken cancellationToken)
    {
        var report = attempt.Report;
        var verdict = RunVerdict.Of(run.Report, run.Spec);
        report.Status = verdict.ToStatus();
        report.Blame = verdict.Blame;
        report.Message = verdict.Message.Length == 0 ? "" : $"{verdict.Message} on worker {options.WorkerId}";
        if (!verdict.HasLogs) return;

        var result = new ActionResult { ExitCode = run.Report.ExitCode };
        var function = action.Action.Digest.Function;
        var outputs = verdict.HasResult
            ? await collector.CollectAsync(run.Spec.InputRootPath, action.Command, function, result, cancellationToken)
            : new CollectedOutputs();
        await StoreLogsAsync(result, run, function, outputs, cancellationToken);
        report.Usage.OutputBytes = outputs.Digests.Sum(digest => digest.SizeBytes);
        if (uploader is not null) await uploader.UploadAsync(outputs, cancellationToken);

        attempt.Clock.OutputUploadCompleted();
        result.ExecutionMetadata = attempt.Complete();
        await AttachAsync(report, result, function, cancellationToken);
    }

    private async ValueTask StoreLogsAsync(
        ActionResult result, CommandRun run, DigestFunction function, CollectedOutputs outputs, CancellationToken cancellationToken)
    {
        var stdout = await StoreAsync(run.Stdout, run.Report.StdoutDroppedBytes, function, outputs, cancellationToken);
        result.StdoutRaw = UnsafeByteOperations.UnsafeWrap(stdout.Inline);
        result.StdoutDigest = stdout.Digest?.ToWire();
        var stderr = await StoreAsync(run.Stderr, run.Report.StderrDroppedBytes, function, outputs, cancellationToken);
        result.StderrRaw = UnsafeByteOperations.UnsafeWrap(stderr.Inline);
        result.StderrDigest = stderr.Digest?.ToWire();
    }

    private async ValueTask<StoredLog> StoreAsync(
        ActionLog log, long droppedBytes, DigestFunction function, CollectedOutputs outputs, CancellationToken cancellationToken)
    {
        int inlineBytesMax = options.OutputLimits.InlineLogBytesMax;
        var stored = await log.StoreAsync(store, function, droppedBytes, inlineBytesMax, cancellationToken);
        // What was dropped is told in the log already.
        if (stored.Digest is { } digest)
            outputs.Add(digest, async cancelled => await log.StoreAsync(store, function, droppedBytes: 0, inlineBytesMax, cancelled));
        return stored;
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
            report.ResultDigest = (await results.WriteAllAsync(function, result.ToByteArray(), cancellationToken)).ToWire();
    }
}
