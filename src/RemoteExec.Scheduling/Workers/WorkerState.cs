namespace RemoteExec.Scheduling;

/// <summary>
/// Where a worker stands; the README has the table.
/// <code>
/// Joining -> Ready &lt;-> Quarantined
///    |         |           |
///    |         '-> Draining  (any of them) -> Gone
/// </code>
/// </summary>
public enum WorkerState
{
    /// <summary>The holder of a lease, cut off or known from the journal, expected back.</summary>
    Joining,

    Ready,

    /// <summary>Finishes what it has, gets nothing new.</summary>
    Draining,

    /// <summary>Too many infrastructure failures: nothing until the probe is due, then one lease.</summary>
    Quarantined,

    Gone,
}
