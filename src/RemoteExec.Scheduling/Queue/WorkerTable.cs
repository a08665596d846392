namespace RemoteExec.Scheduling;

/// <summary>States x events of a worker, like <see cref="ExecutionTable"/>. A worker that is gone stays gone: who comes back is a new one.</summary>
internal static class WorkerTable
{
    private const WorkerState Joining = WorkerState.Joining;
    private const WorkerState Ready = WorkerState.Ready;
    private const WorkerState Draining = WorkerState.Draining;
    private const WorkerState Quarantined = WorkerState.Quarantined;
    private const WorkerState Gone = WorkerState.Gone;

    private static readonly WorkerState?[,] Cells =
    {
        //                  Joining   Ready        Draining   Quarantined  Gone
        /* Join       */ { Ready,    Ready,       Ready,     Quarantined, null },
        /* Disconnect */ { null,     Joining,     Joining,   Joining,     null },
        /* Drain      */ { null,     Draining,    Draining,  Draining,    null },
        /* Trip       */ { null,     Quarantined, null,      Quarantined, null },
        /* Succeed    */ { null,     Ready,       Draining,  Ready,       null },
        /* Lose       */ { Gone,     Gone,        Gone,      Gone,        null },
    };

    public static WorkerState? Next(WorkerState state, WorkerEvent @event) => Cells[(int)@event, (int)state];
}

/// <summary>What can happen to a worker; the rows of <see cref="WorkerTable"/>.</summary>
internal enum WorkerEvent
{
    /// <summary>It says hello, for the first time or again.</summary>
    Join,

    /// <summary>Its stream broke while it holds leases: it may be back in a moment with all of them.</summary>
    Disconnect,

    /// <summary>It wants to leave.</summary>
    Drain,

    /// <summary>Too many different executions failed on it in a row.</summary>
    Trip,

    /// <summary>A command ran on it.</summary>
    Succeed,

    /// <summary>Nothing is to be expected from it any more.</summary>
    Lose,
}
