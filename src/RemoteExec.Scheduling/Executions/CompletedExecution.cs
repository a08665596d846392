namespace RemoteExec.Scheduling;

/// <summary>An execution whose end is in the journal; what the completion hook is given.</summary>
/// <param name="Pool">The pool of the last worker; empty when no worker ever had it.</param>
public sealed record CompletedExecution(
    ExecutionId Id,
    ExecutionRequest Request,
    ExecutionOutcome Outcome,
    int Attempt,
    string? WorkerId,
    string Pool,
    DateTimeOffset QueuedAt,
    DateTimeOffset? LeasedAt,
    DateTimeOffset? StartedAt,
    DateTimeOffset CompletedAt)
{
    /// <inheritdoc cref="OperationSnapshot.Tries"/>
    public int Tries { get; init; }

    /// <summary>
    /// From the request to the last lease, and from there what it waited for one of the worker's slots, by clocks that nobody can set; null
    /// when it was never leased.
    /// </summary>
    public TimeSpan? Waited { get; init; }

    /// <summary>The part of it that it waited at the worker.</summary>
    public TimeSpan WaitedThere { get; init; }

    /// <summary>From that lease to the start of the command, without that part; null when it never started.</summary>
    public TimeSpan? Assigned { get; init; }
}
