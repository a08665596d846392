namespace RemoteExec.Scheduling;

/// <summary>
/// Where an execution stands; the README has the table.
/// <code>
/// Queued -> Leased -> Running -> Completed
///    ^--------'----------'   worker lost: attempt + 1, until the attempts are used up
/// </code>
/// </summary>
public enum ExecutionState
{
    Queued,
    Leased,
    Running,
    Completed,
}
