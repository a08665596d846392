namespace RemoteExec.Scheduling;

/// <summary>One client's handle on an execution, as it stood when this was made.</summary>
public sealed record OperationSnapshot
{
    /// <summary><c>operations/</c> and 128 random bits.</summary>
    public required string Name { get; init; }

    public required ExecutionId Execution { get; init; }

    /// <summary>What this client asked; its origin and priority may differ from those of others merged into the execution.</summary>
    public required ExecutionRequest Request { get; init; }

    public required OperationStage Stage { get; init; }

    /// <summary>Joined an execution that another client had asked for.</summary>
    public bool IsMerged { get; init; }

    /// <summary>The current or last attempt; 0 before the first lease.</summary>
    public int Attempt { get; init; }

    /// <summary>The attempts that a person need know of: those that came to nothing through a fault, and the present one. What was handed back or called back is none.</summary>
    public int Tries { get; init; }

    /// <summary>Who runs it, or ran it last.</summary>
    public string? WorkerId { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    public required DateTimeOffset QueuedAt { get; init; }

    public DateTimeOffset? LeasedAt { get; init; }

    public DateTimeOffset? StartedAt { get; init; }

    /// <summary>How long it waited for one of its worker's slots, behind the lease: time in line.</summary>
    public TimeSpan WaitedThere { get; init; }

    /// <summary>It is at a worker and waits for one of its slots: still in line.</summary>
    public bool IsAhead { get; init; }

    /// <summary>It waits for inputs that are made again.</summary>
    public bool IsHeld { get; init; }

    public DateTimeOffset? CompletedAt { get; init; }

    /// <summary>Set exactly when the stage is <see cref="OperationStage.Completed"/>.</summary>
    public ExecutionOutcome? Outcome { get; init; }

    public bool IsDone => Stage == OperationStage.Completed;
}
