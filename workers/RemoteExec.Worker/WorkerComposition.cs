using Build.Bazel.Remote.Execution.V2;
using Microsoft.Extensions.Logging;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>How a worker is put together, from the walls outward.</summary>
internal static class WorkerComposition
{
    public static async Task<LocalWorker> ComposeAsync(
        WorkerOptions options, ILocalBlobStore local, IBlobStore? remote, IWorkerConnector connector,
        TimeProvider time, ILoggerFactory logs, CancellationToken cancellationToken)
    {
        var log = logs.CreateLogger("RemoteExec.Worker");

        // The walls: what stands decides what is offered.
        var launcherOptions = LauncherOptions(options);
        var probe = await SandboxProbe.RunAsync(launcherOptions, cancellationToken);
        var standing = Choose(options, probe);
        var launcher = standing == SandboxWalls.None ? null : new SandboxLauncher(launcherOptions);
        ISandbox sandbox = launcher is null ? new DirectRunner(time) : launcher;
        var walls = options.Sandbox == SandboxMode.Off
            ? [.. probe.Walls.Select(wall => wall with { Enforced = false, Reason = "the sandbox is switched off" })]
            : probe.Walls;

        // The stages of an action.
        var workDirectories = WorkDirectories.Open(
            options.DataDirectory, sandbox.FileOwner?.UserId ?? Posix.EffectiveUser, standing.HasFlag(DirectoryStock.WallsNeeded), log);
        var slots = new CommandSlots(options.Slots);
        var liveOutputs = new LiveOutputs(time);
        var runner = new ActionRunner(
            options,
            new ActionFetcher(new BlobFetcher(local, remote), options.Trees),
            new InputMaterialiser(local, workDirectories.Stock, copies: sandbox.FileOwner is null),
            sandbox, standing, slots, liveOutputs,
            // Without a process wall something of the action may live on, with its output open for writing.
            new OutputCollector(local, options.OutputLimits, options.Trees, mayTakeFiles: standing.HasFlag(SandboxWalls.Processes)),
            remote is null ? null : new OutputUploader(local, remote),
            local, workDirectories, time, log);

        // The loop that feeds them.
        var loop = new WorkerLoop(Introduce(options, walls), connector, runner.RunAsync, options.DrainMax, time, Random.Shared, log);
        return new LocalWorker(loop, workDirectories, slots, liveOutputs, launcher, walls);
    }

    private static SandboxLauncherOptions LauncherOptions(WorkerOptions options)
    {
        var defaults = new SandboxLauncherOptions();
        return defaults with { LauncherPath = options.LauncherPath ?? defaults.LauncherPath, SlotsMax = options.Slots };
    }

    private static SandboxWalls Choose(WorkerOptions options, SandboxProbe probe)
    {
        if (options.Sandbox == SandboxMode.Off) return SandboxWalls.None;
        var absent = probe.Walls.Where(wall => !wall.Enforced).ToList();
        if (absent.Count > 0 && options.Sandbox == SandboxMode.Required)
        {
            throw new WorkerRefusedException(
                $"the sandbox is required and cannot be built here: {string.Join("; ", absent.Select(wall => $"{wall.Name}: {wall.Reason}"))}. "
                + "Remove the obstacle, or say --sandbox degrade to run behind the walls that stand");
        }
        return probe.Enforced;
    }

    private static Hello Introduce(WorkerOptions options, IReadOnlyList<SandboxWall> walls)
    {
        var hello = new Hello
        {
            WorkerId = options.WorkerId,
            Pool = options.Pool,
            Slots = options.Slots,
            Prefetch = options.Prefetch,
            Version = typeof(WorkerComposition).Assembly.GetName().Version?.ToString(3) ?? "",
        };
        foreach (var (name, value) in WorkerProperties.Offered(options))
            hello.Properties.Add(new WirePlatform.Types.Property { Name = name, Value = value });
        foreach (var wall in walls)
            hello.Walls.Add(new Wall { Name = wall.Name, Enforced = wall.Enforced, Reason = wall.Reason });
        return hello;
    }
}
