using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// Runs one action: fetch, materialise, run, collect, report. Each stage is timed into the result's metadata; each
/// failure becomes the status that REAPI 1.14 asks for, and where it blames this worker rather than the action,
/// the coordinator tries elsewhere.
/// </summary>
internal sealed partial class ActionRunner(
    WorkerOptions options, ActionFetcher fetcher, InputMaterialiser materialiser, ISandbox sandbox, SandboxWalls walls,
    CommandSlots slots, LiveOutputs liveOutputs, OutputCollector collector, OutputUploader? uploader, ILocalBlobStore store,
    WorkDirectories workDirectories, TimeProvider time, ILogger log)
{
    private readonly long _scratchBytes = ScratchShare.Of(options, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    /// <summary>Answers the report. Cancellation kills the command and throws: nobody wants that report.</summary>
    public async ValueTask<FinishedAttempt> RunAsync(Lease lease, ILeaseReporter reporter, CancellationToken cancellationToken)
    {
        var clock = new StageClock(options.WorkerId, lease.QueuedTimestamp, time);
        var report = new LeaseFinished { Lease = lease.Lease_, Usage = new Usage() };
        WorkDirectory? directory = null;
        try
        {
            directory = await workDirectories.TakeAsync(cancellationToken);
            await RunAsync(lease, directory, report, clock, reporter, cancellationToken);
        }
        catch (Exception failure) when (IsForReport(failure) && !cancellationToken.IsCancellationRequested)
        {
            Blame(report, failure, lease);
        }
        catch (Exception)
        {
            if (directory is not null) await directory.DisposeAsync();
            cancellationToken.ThrowIfCancellationRequested();
            throw;
        }
        return new FinishedAttempt(Complete(report, clock), directory);
    }

    /// <summary>The stages, in order.</summary>
    private async ValueTask RunAsync(
        Lease lease, WorkDirectory directory, LeaseFinished report, StageClock clock, ILeaseReporter reporter, CancellationToken cancellationToken)
    {
        clock.InputFetchStarted();
        var action = await fetcher.FetchAsync(lease, cancellationToken);
        var audit = await MaterialiseAsync(action, directory, cancellationToken);
        clock.InputFetchCompleted();

        var spec = Describe(lease, action, directory);
        using var run = await RunCommandAsync(spec, directory, clock, lease.Lease_, reporter, cancellationToken);
        Account(report.Usage, action, run.Report);

        clock.OutputUploadStarted();
        await CheckInputsAsync(audit, lease, cancellationToken);
        await CollectAsync(report, spec, action, run, cancellationToken);
        clock.OutputUploadCompleted();
    }

    private static bool IsForReport(Exception failure) => failure is RpcException or IOException or UnauthorizedAccessException;

    private async ValueTask<InputAudit?> MaterialiseAsync(
        FetchedAction action, WorkDirectory directory, CancellationToken cancellationToken)
    {
        var missing = await materialiser.MaterialiseAsync(action.Inputs, directory.InputRoot, cancellationToken);
        // Present a moment ago, evicted since. The client still has them.
        if (missing.Count > 0) throw RpcErrors.MissingBlobsStatus(missing).ToException();
        materialiser.MakeOutputParents(action.Command.Outputs.DirectoriesToCreate(), directory.InputRoot);
        return action.Inputs.Files.Count == 0 || !materialiser.Links ? null : InputAudit.Begin(store, action.Inputs, directory.InputRoot, directory.PathBeside("check"));
    }

    private SandboxSpec Describe(Lease lease, FetchedAction action, WorkDirectory directory) => new()
    {
        Arguments = action.Command.Arguments,
        Environment = ActionEnvironment.Build(action.Command, walls, directory),
        WorkingDirectory = action.Command.WorkingDirectory,
        InputRootPath = directory.InputRoot,
        Walls = walls,
        Limits = new SandboxLimits
        {
            MemoryBytes = options.ActionMemoryBytesMax ?? 0,
            ScratchBytes = _scratchBytes,
            ProcessesMax = options.ActionProcessesMax,
            StdoutBytesMax = options.OutputLimits.LogBytesMax,
            StderrBytesMax = options.OutputLimits.LogBytesMax,
            Timeout = lease.Timeout?.ToTimeSpan() ?? action.Action.Timeout ?? TimeSpan.Zero,
        },
    };

    private async ValueTask<CommandRun> RunCommandAsync(
        SandboxSpec spec, WorkDirectory directory, StageClock clock,
        LeaseId lease, ILeaseReporter reporter, CancellationToken cancellationToken)
    {
        var run = new CommandRun(clock, directory);
        try
        {
            using var slot = await slots.TakeAsync(cancellationToken);
            await reporter.StartedAsync(cancellationToken);
            clock.ExecutionStarted();
            liveOutputs.Enter(run, lease, reporter);
            try
            {
                directory.MayBeEntered = true;
                run.Report = await sandbox.RunAsync(spec, run, cancellationToken);
                // A launcher that died takes everything along, but its socket ends a moment before that.
                directory.MayBeEntered = run.Report.Outcome == SandboxOutcome.LauncherLost;
                clock.ExecutionCompleted(run.Report.WallTime);
            }
            finally
            {
                await liveOutputs.LeaveAsync(run);
            }
            cancellationToken.ThrowIfCancellationRequested();
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    private async ValueTask CheckInputsAsync(InputAudit? audit, Lease lease, CancellationToken cancellationToken)
    {
        if (audit is null || await audit.FindAlteredAsync(cancellationToken) is not { } altered) return;
        string path = Printable.Quote(altered.Path);
        LogInputAltered(lease.Lease_.ExecutionId, altered.Digest, path);
        // Whatever comes after this action would be given the same file.
        store.PutAside(altered.Digest);
        throw RpcErrors.Of(StatusCode.Internal, $"the input {path} was altered in the worker's store while the action ran");
    }

    private async ValueTask CollectAsync(
        LeaseFinished report, SandboxSpec spec, FetchedAction action, CommandRun run, CancellationToken cancellationToken)
    {
        var verdict = RunVerdict.Of(run.Report, spec);
        report.Status = verdict.ToStatus();
        report.Message = verdict.Message.Length == 0 ? "" : $"{verdict.Message} on worker {options.WorkerId}";
        if (!verdict.HasLogs) return;

        var result = report.Result = new ActionResult { ExitCode = run.Report.ExitCode };
        var function = action.Action.Digest.Function;
        var outputs = verdict.HasResult
            ? await collector.CollectAsync(spec.InputRootPath, action.Command, function, result, cancellationToken)
            : CollectedOutputs.None;

        int inlineBytesMax = options.OutputLimits.InlineLogBytesMax;
        var stdout = await run.Stdout.StoreAsync(store, function, run.Report.StdoutDroppedBytes, inlineBytesMax, cancellationToken);
        result.StdoutRaw = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(stdout.Inline);
        result.StdoutDigest = stdout.Digest?.ToWire();
        var stderr = await run.Stderr.StoreAsync(store, function, run.Report.StderrDroppedBytes, inlineBytesMax, cancellationToken);
        result.StderrRaw = Google.Protobuf.UnsafeByteOperations.UnsafeWrap(stderr.Inline);
        result.StderrDigest = stderr.Digest?.ToWire();

        foreach (var log in (ReadOnlySpan<StoredLog>)[stdout, stderr])
        {
            if (log.Digest is { } digest) outputs.Add(digest);
        }
        report.Usage.OutputBytes = outputs.Bytes;
        if (uploader is not null) await uploader.UploadAsync(outputs.Digests, cancellationToken);
    }

    private static void Account(Usage usage, FetchedAction action, SandboxReport report)
    {
        usage.UserTime = Duration.FromTimeSpan(report.UserTime);
        usage.SystemTime = Duration.FromTimeSpan(report.SystemTime);
        usage.MemoryPeakBytes = report.PeakMemoryBytes;
        usage.InputBytes = action.Inputs.FileBytes;
        usage.InputFiles = action.Inputs.Files.Count;
        usage.FetchedBytes = action.FetchedBytes;
    }

    /// <summary>The one place where a failure of a stage becomes a status.</summary>
    private void Blame(LeaseFinished report, Exception failure, Lease lease)
    {
        report.Result = null;
        // Disk full, descriptors exhausted, directory gone: this machine's trouble, another may do better.
        report.Status = failure is RpcException rpc
            ? rpc.ToStatus()
            : new RpcStatus { Code = (int)StatusCode.Unavailable, Message = $"worker {options.WorkerId}: {failure.Message}" };
        report.Message = report.Status.Message;
        LogAttemptFailed(lease.Lease_.ExecutionId, lease.Lease_.Attempt, (StatusCode)report.Status.Code, report.Status.Message);
    }

    private static LeaseFinished Complete(LeaseFinished report, StageClock clock)
    {
        var metadata = clock.Complete();
        // REAPI T2: measured once, here; everybody downstream reads this.
        metadata.AuxiliaryMetadata.Add(Any.Pack(report.Usage));
        if (report.Result is not null) report.Result.ExecutionMetadata = metadata;
        return report;
    }

    [LoggerMessage(EventId = 20, EventName = "attempt-failed", Level = LogLevel.Information, Message = "attempt {Attempt} of {ExecutionId} failed: {Code} {Reason}")]
    private partial void LogAttemptFailed(string executionId, int attempt, StatusCode code, string reason);

    [LoggerMessage(EventId = 21, EventName = "input-altered", Level = LogLevel.Critical, Message = "input {Digest} of {ExecutionId} was altered in the store, seen at {Path}")]
    private partial void LogInputAltered(string executionId, Digest digest, string path);
}
