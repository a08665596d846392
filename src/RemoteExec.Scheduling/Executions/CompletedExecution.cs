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
    DateTimeOffset CompletedAt);
