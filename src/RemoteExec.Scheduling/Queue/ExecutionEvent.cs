namespace RemoteExec.Scheduling;

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

    /// <summary>Nobody offers what it asks for, and that for too long.</summary>
    Refuse,
}
