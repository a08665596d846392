using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>What a worker says when it joins (remoteexec.v1 Hello).</summary>
public sealed record WorkerDescription
{
    /// <summary>Unique among live workers, stable over reconnects of one process.</summary>
    public required string Id { get; init; }

    /// <summary>
    /// Where it lives. Only one worker can at a time, so the same id from the same place is the same worker or its successor; from another
    /// place it is a stranger under the same name. Empty when it does not say.
    /// </summary>
    public string Home { get; init; } = "";

    /// <summary>Also offered as the property <c>Pool</c>.</summary>
    public string Pool { get; init; } = "";

    /// <summary>Actions that may run at the same time.</summary>
    public required int Slots { get; init; }

    /// <summary>Leases taken beyond the slots: their inputs are fetched while others run.</summary>
    public int Prefetch { get; init; }

    /// <summary>Leases that may be out at once.</summary>
    public int LeasesMax => Slots + Prefetch;

    /// <summary>Properties offered. A name may come several times: an action's value must equal one of them.</summary>
    public Platform Properties { get; init; } = Platform.Empty;

    public IReadOnlyList<WorkerWall> Walls { get; init; } = [];

    public string Version { get; init; } = "";

    /// <summary>Leases that still run there from before a reconnect.</summary>
    public IReadOnlyList<LeaseId> Running { get; init; } = [];

    /// <summary>Those of <see cref="Running"/> whose command has not begun: they wait for a slot or for their inputs.</summary>
    public IReadOnlyList<LeaseId> Waiting { get; init; } = [];

    /// <summary>
    /// Leases that have ended there and whose report is still owed. They are held until it comes: neither lost nor cancelled.
    /// </summary>
    public IReadOnlyList<LeaseId> Unreported { get; init; } = [];

    /// <summary>It is leaving, from before a reconnect: it gets nothing new.</summary>
    public bool IsDraining { get; init; }
}
