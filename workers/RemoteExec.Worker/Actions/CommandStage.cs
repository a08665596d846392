using RemoteExec.Protocol.V1;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// The second stage: the command runs, in one of the worker's slots. A slot is held exactly as long as the sandbox works: neither the
/// coordinator nor a watcher of its output can hold it.
/// </summary>
internal sealed class CommandStage(WorkerOptions options, ISandbox sandbox, SandboxWalls walls, LiveOutputs liveOutputs)
{
    private readonly CommandSlots _slots = new(options.Slots);
    private readonly long _scratchBytes = ScratchShare.Of(options, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes);

    public async ValueTask<CommandRun> RunAsync(Attempt attempt, FetchedAction action, Action<TimeSpan> started, CancellationToken cancellationToken)
    {
        var directory = attempt.Directory!; // made before the inputs
        var run = new CommandRun(Describe(attempt.Lease, action, directory), attempt.Clock, directory, options.OutputLimits.LogBytesMax);
        try
        {
            await _slots.TakeAsync(attempt.Lease.Priority, attempt.Lease.QueuedTimestamp?.ToDateTimeOffset() ?? default, cancellationToken);
            try
            {
                started(attempt.Clock.SlotTaken());
                await RunAsync(run, attempt, cancellationToken);
            }
            finally
            {
                _slots.Release();
            }

            cancellationToken.ThrowIfCancellationRequested();
            Account(attempt.Report.Usage, action, run.Report);
            attempt.KernelUsage = PosixUsage.Of(run.Report);
            return run;
        }
        catch
        {
            run.Dispose();
            throw;
        }
    }

    private async ValueTask RunAsync(CommandRun run, Attempt attempt, CancellationToken cancellationToken)
    {
        attempt.Clock.ExecutionStarted();
        liveOutputs.Enter(run, attempt.Lease.Lease_);
        try
        {
            run.Report = await sandbox.RunAsync(run.Spec, run, cancellationToken);
            attempt.Clock.ExecutionCompleted(run.Report.WallTime);
        }
        finally
        {
            liveOutputs.Leave(run);
        }
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
            // All of it: what is kept is decided here, and the end is worth as much as the beginning.
            StdoutBytesMax = long.MaxValue,
            StderrBytesMax = long.MaxValue,
            Timeout = lease.Timeout?.ToTimeSpan() ?? action.Action.Timeout ?? TimeSpan.Zero,
        },
    };

    private static void Account(Usage usage, FetchedAction action, SandboxReport report)
    {
        usage.UserTime = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(report.UserTime);
        usage.SystemTime = Google.Protobuf.WellKnownTypes.Duration.FromTimeSpan(report.SystemTime);
        usage.MemoryPeakBytes = report.PeakMemoryBytes;
        usage.InputBytes = action.Inputs.FileBytes;
        usage.InputFiles = action.Inputs.Files.Count;
        usage.FetchedBytes = action.FetchedBytes;
    }
}
