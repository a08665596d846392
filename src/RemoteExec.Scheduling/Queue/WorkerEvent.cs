namespace RemoteExec.Scheduling;

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
