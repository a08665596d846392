namespace RemoteExec.Worker.Sandbox;

/// <summary>What getrusage(2) counted beside processor time, of all processes of an action that had ended and were waited for. Linux counts no swaps, messages nor signals: those are 0.</summary>
public sealed record KernelUsage
{
    /// <summary>Resident memory of the largest process; of the whole tree there is <see cref="SandboxReport.PeakMemoryBytes"/>.</summary>
    public long LargestProcessBytes { get; init; }

    public long MinorFaults { get; init; }

    public long MajorFaults { get; init; }

    public long Swaps { get; init; }

    public long BlocksIn { get; init; }

    public long BlocksOut { get; init; }

    public long MessagesSent { get; init; }

    public long MessagesReceived { get; init; }

    public long Signals { get; init; }

    public long VoluntarySwitches { get; init; }

    public long InvoluntarySwitches { get; init; }
}
