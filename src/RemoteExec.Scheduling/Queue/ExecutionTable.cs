namespace RemoteExec.Scheduling;

/// <summary>
/// States x events of an execution. <see cref="Execution"/> moves only by this table, and a test makes every cell
/// happen. An empty cell is stale news (a report that lost a race, TRUST 1.3 class 14): it changes nothing.
/// </summary>
internal static class ExecutionTable
{
    private const ExecutionState Queued = ExecutionState.Queued;
    private const ExecutionState Leased = ExecutionState.Leased;
    private const ExecutionState Running = ExecutionState.Running;
    private const ExecutionState Completed = ExecutionState.Completed;

    private static readonly ExecutionState?[,] Cells =
    {
        //              Queued     Leased     Running    Completed
        /* Lease  */ { Leased,    null,      null,      null },
        /* Start  */ { null,      Running,   Running,   null },
        /* Finish */ { null,      Completed, Completed, null },
        /* Lose   */ { null,      Queued,    Queued,    null },
        /* GiveUp */ { null,      Completed, Completed, null },
        /* Cancel */ { Completed, Completed, Completed, null },
        /* Refuse */ { Completed, null,      null,      null },
    };

    public static ExecutionState? Next(ExecutionState state, ExecutionEvent @event) => Cells[(int)@event, (int)state];
}

/// <summary>What can happen to an execution; the rows of <see cref="ExecutionTable"/>.</summary>
internal enum ExecutionEvent
{
    /// <summary>A worker has room and it is this one's turn.</summary>
    Lease,

    /// <summary>The holder of the current lease started the command, or said on rejoining that it still runs.</summary>
    Start,

    /// <summary>The holder of the current lease reported an outcome that ends the matter.</summary>
    Finish,

    /// <summary>The current lease came to nothing (worker lost, infrastructure failure, handed back), attempts are left.</summary>
    Lose,

    /// <summary>The same, and no attempt is left.</summary>
    GiveUp,

    /// <summary>Nobody waits for it any more.</summary>
    Cancel,

    /// <summary>Nobody offers what it asks for, and that for too long; or inputs that it waited for cannot be made.</summary>
    Refuse,
}
