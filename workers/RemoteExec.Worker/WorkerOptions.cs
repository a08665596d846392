using RemoteExec.Core;

namespace RemoteExec.Worker;

/// <summary>What a worker is told; the executable fills it from its flags, the all-in-one from the server's.</summary>
public sealed record WorkerOptions
{
    /// <summary>Unique among live workers; stable over reconnects of this process.</summary>
    public string WorkerId { get; init; } = $"{Environment.MachineName}-{Guid.NewGuid().ToString("N")[..8]}";

    /// <summary>The machine and the data directory, by names that are the same after a restart; see the hello's <c>home</c>.</summary>
    public string Home { get; init; } = "";

    public string Pool { get; init; } = Pools.Default;

    /// <summary>Commands that run at the same time.</summary>
    public int Slots { get; init; } = Environment.ProcessorCount;

    /// <summary>
    /// Leases held beyond the slots, so that fetching and materialising the next inputs overlaps the commands
    /// that run. They wait for a slot before their command starts.
    /// </summary>
    public int Prefetch { get; init; }

    /// <summary>Work directories live in <c>work/</c> here: the same file system as the store, for hard links.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Offered beside the defaults <c>OSFamily</c>, <c>ISA</c> and <c>Pool</c>; a name given here replaces its default.</summary>
    public IReadOnlyList<PlatformProperty> Properties { get; init; } = [];

    public SandboxMode Sandbox { get; init; } = SandboxMode.Required;

    /// <summary>Path of the native launcher; null looks beside the worker's own assembly.</summary>
    public string? LauncherPath { get; init; }

    /// <summary>Memory an action may use; null or 0 leaves the machine as the only limit.</summary>
    public long? ActionMemoryBytesMax { get; init; }

    /// <summary>
    /// Size of an action's own /tmp, and again of its /dev/shm, both of which are memory. Null or 0 takes a quarter of its share of
    /// the memory for each: all slots together fill half of it, as one tmpfs would by itself.
    /// </summary>
    public long? ActionScratchBytesMax { get; init; }

    /// <summary>Processes and threads an action may have at once.</summary>
    public int ActionProcessesMax { get; init; } = 8192;

    public OutputLimits OutputLimits { get; init; } = new();

    /// <summary>How long running commands may go on after a request to stop, before they are killed and handed back.</summary>
    public TimeSpan DrainMax { get; init; } = TimeSpan.FromMinutes(5);
}
