using Microsoft.Extensions.Logging;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>How a worker is put together, from the walls outward.</summary>
internal static class WorkerComposition
{
    public static async Task<LocalWorker> ComposeAsync(
        WorkerOptions options, ILocalBlobStore local, IBlobStore? remote, IWorkerConnector connector, WorkerMetrics? metrics,
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

        // Every failure says whose store it was. Without another one, the store here is everybody's.
        var own = new OwnedLocalBlobStore(local, remote is null ? StoreOwner.Everybody : StoreOwner.Worker);
        var shared = remote is null ? null : new OwnedBlobStore(remote, StoreOwner.Everybody);

        // The stages of an action.
        var lines = new Lines();
        uint owner = sandbox.FileOwner?.UserId ?? Posix.EffectiveUser;
        var workDirectories = WorkDirectories.Open(options.DataDirectory, owner, log);
        var blobs = new BlobFetcher(own, shared);
        var inputs = new InputStage(
            new ActionFetcher(blobs, () => lines.Limits), blobs,
            new InputMaterialiser(own, owner, copies: sandbox.FileOwner is null), own, log);
        var liveOutputs = new LiveOutputs(options.WorkerId, lines, time);
        var command = new CommandStage(options, sandbox, standing, liveOutputs);
        var patience = new StorePatience(time);
        var outputs = new OutputStage(
            options,
            // Without a process wall something of the action may live on, with its output open for writing.
            new OutputCollector(own, options.OutputLimits, () => lines.Limits.Tree, mayTakeFiles: standing.HasFlag(SandboxWalls.Processes)),
            shared is null ? null : new OutputUploader(own, shared, patience),
            own, shared ?? own, patience, () => lines.Limits);
        var runner = new ActionRunner(options.WorkerId, workDirectories, inputs, command, outputs, time, log);

        AttemptRunner run = runner.RunAsync;
        if (metrics is not null) run = metrics.Watch(run);

        // The loop that feeds them.
        var leases = new LeaseTable();
        var desk = new LeaseDesk(options.WorkerId, leases, lines, run, time, log);
        var loop = new WorkerLoop(Introduce(options, walls), connector, leases, desk, lines, options.DrainMax, time, Random.Shared, log);
        return new LocalWorker(loop, workDirectories, liveOutputs, launcher, walls);
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
                + Remedy(absent));
        }
        return probe.Enforced;
    }

    // Who is not root lacks two things, and both can be given by whoever is.
    private static string Remedy(IEnumerable<SandboxWall> absent) => Posix.EffectiveUser == 0
        ? "Remove the obstacle, or say --sandbox degrade to run with the rest of it"
        : "This worker is not root: run it as root, or give its user "
            + (absent.Any(wall => wall.Wall == SandboxWalls.Limits)
                ? "a delegated cgroup (Delegate=yes in its systemd unit, as in rexec-worker-user.service; to try it: systemd-run --user --scope -p Delegate=yes rexec-worker …)"
                : "user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu kernel.apparmor_restrict_unprivileged_userns=0 or an AppArmor profile)")
            + ", or say --sandbox degrade to run with the rest of it";

    private static Hello Introduce(WorkerOptions options, IReadOnlyList<SandboxWall> walls)
    {
        var hello = new Hello
        {
            WorkerId = options.WorkerId,
            Home = options.Home,
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
