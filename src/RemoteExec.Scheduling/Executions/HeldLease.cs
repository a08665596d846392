using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>A lease that is current, and who holds it.</summary>
public sealed record HeldLease(ExecutionRequest Request, string WorkerId, DateTimeOffset QueuedAt, DateTimeOffset LeasedAt)
{
    /// <summary>How long it waited for one of the worker's slots: time in line, behind the lease.</summary>
    public TimeSpan WaitedThere { get; init; }

    /// <summary>Attempts that count, with this one: what was handed back or called back is none.</summary>
    public int Tries { get; init; } = 1;

    /// <summary>Properties that were left out of account.</summary>
    public IReadOnlyList<PlatformProperty> Ignored { get; init; } = [];

    /// <summary>No client waits for it, only such as make lost inputs again.</summary>
    public bool IsRerun { get; init; }

    public TimeSpan InLine => LeasedAt - QueuedAt + WaitedThere;
}
