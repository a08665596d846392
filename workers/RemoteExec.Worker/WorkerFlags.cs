using Microsoft.Extensions.Logging;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Worker;

/// <summary>The options of <c>rexec-worker</c>; a worker inside the server is told by the server's own.</summary>
internal sealed class WorkerFlags(OptionReader options)
{
    public static OptionTable<WorkerFlags> Table { get; } = new(
        "rexec-worker", "Runs actions for a rexec-server: takes leases, executes them in a sandbox, stores what they made.",
        options => new(options), Rules);

    public IReadOnlyList<HostPort> Coordinators { get; } =
        options.HostPorts("coordinator", "127.0.0.1:8980", "the servers to work for: leases come from the first that answers, blobs from the first that is named");

    public int Slots { get; } = options.Count("slots", Environment.ProcessorCount, "commands that run at the same time", min: 1, max: Pools.SlotsMax,
        defaultWords: "the number of processors");

    public int Prefetch { get; } =
        options.Count("prefetch", 0, "actions whose inputs are brought while all slots are busy", min: 0, max: 64);

    public string DataDirectory { get; } =
        options.Text("data-dir", UserData.DirectoryOf("rexec-worker"), "where inputs are kept and actions run; one worker per directory", "DIR",
            "`~/.local/share/rexec-worker`");

    public long CacheSizeBytes { get; } = options.Size("cache-size", "10GB", "disk space for inputs and outputs that may be needed again; up to an eighth more for large inputs that have not come whole");

    public long ChunkedInputBytesMin { get; } = options.Size(
        "chunked-inputs-from", "1MB", "inputs of this size and more come in chunks, of which those do not travel that are here in another input, such as an earlier version, or came before a transfer broke off; 0 for never");

    public long ChunkedOutputBytesMin { get; } = options.Size(
        "chunked-outputs-from", "8MB", "outputs of this size and more go in chunks, of which those do not travel that the server has, such as those of an earlier version; 0 for never");

    public string Pool { get; } = options.Text("pool", Pools.Default, "the pool to join; offered as the platform property Pool", "NAME");

    public IReadOnlyList<PlatformProperty> Properties { get; } =
        options.Properties("property", "a platform property to offer, beside OSFamily, ISA and Pool");

    public SandboxMode Sandbox { get; } =
        options.Choice("sandbox", SandboxMode.Required, "when this kernel cannot build every part of the sandbox: refuse, say so and go on, or run without any");

    public long? ActionMemoryBytes { get; } =
        options.OptionalSize("action-memory", "memory that one action may use; no limit but the machine's when 0 or left out");

    public long? ActionScratchBytes { get; } =
        options.OptionalSize("action-scratch", "size of an action's /tmp, and of its /dev/shm, which are memory; when 0 or left out, a quarter of its slot's share of the memory, or of --action-memory");

    public TimeSpan DrainMax { get; } = options.Duration("drain-limit", "5m", "how long running actions may go on after SIGTERM", daysMax: 30);

    public string? WorkerId { get; } = options.OptionalText(
        "worker-id", "the name in results and on the workers page; the machine's and one that is kept in the data directory, when left out", "NAME");

    public HostPort? Http { get; } = options.OptionalHostPort("http", "where /metrics and /healthz are served; nowhere when left out");

    public LogLevel LogLevel { get; } = options.LogLevel("log-level", LogLevel.Information, "least important log line that is written");

    public WorkerOptions ToOptions()
    {
        var worker = new WorkerOptions
        {
            DataDirectory = Path.GetFullPath(DataDirectory),
            Slots = Slots,
            Prefetch = Prefetch,
            Pool = Pool,
            Properties = Properties,
            Sandbox = Sandbox,
            ActionMemoryBytesMax = ActionMemoryBytes,
            ActionScratchBytesMax = ActionScratchBytes,
            DrainMax = DrainMax,
        };
        return WorkerId is null ? worker : worker with { WorkerId = WorkerId };
    }

    private static IEnumerable<string> Rules(WorkerFlags flags)
    {
        if (ActionBounds.Problem("--action-memory", flags.ActionMemoryBytes) is { } tooLittle)
            yield return tooLittle;
        if (flags.CacheSizeBytes < 1 << 20)
            yield return $"--cache-size: {UnitText.FormatSize(flags.CacheSizeBytes)} holds no input tree; give at least 1MiB, better 10GB";
    }
}
