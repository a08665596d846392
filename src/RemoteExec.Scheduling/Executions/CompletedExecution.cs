namespace RemoteExec.Scheduling;

/// <summary>An execution whose end is in the journal; what the completion hook is given.</summary>
public sealed record CompletedExecution(
    ExecutionId Id,
    ExecutionRequest Request,
    ExecutionOutcome Outcome,
    int Attempt,
    string? WorkerId,
    DateTimeOffset QueuedAt,
    DateTimeOffset? LeasedAt,
    DateTimeOffset? StartedAt,
    DateTimeOffset CompletedAt);
