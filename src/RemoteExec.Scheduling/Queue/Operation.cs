namespace RemoteExec.Scheduling;

/// <summary>One client's handle on an execution.</summary>
internal sealed class Operation
{
    public const string NamePrefix = "operations/";

    public Operation() => Node = new LinkedListNode<Operation>(this);

    public required string Name { get; init; }

    public required Execution Execution { get; init; }

    public required ExecutionRequest Request { get; init; }

    public required bool IsMerged { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>Its place among those that are alive, later among those that have ended.</summary>
    public LinkedListNode<Operation> Node { get; }

    /// <summary>Open feeds.</summary>
    public int Watchers { get; set; }

    /// <summary>How many feeds there have been: the number of the youngest.</summary>
    public int Watches { get; set; }

    /// <summary>Its client has said that it does not want it, on its youngest stream. Another may not have ended yet, or be dead without our knowledge.</summary>
    public bool IsUnwanted { get; set; }

    /// <summary>Since when nobody watches, monotonic.</summary>
    public TimeSpan UnwatchedSince { get; set; }

    /// <summary>Set when it is over for this client: by the execution's end, or before it by cancellation.</summary>
    public ExecutionOutcome? Outcome { get; private set; }

    public DateTimeOffset? EndedAt { get; private set; }

    /// <summary>From when on it is kept, monotonic.</summary>
    public TimeSpan EndedSince { get; private set; }

    /// <summary>Ended by itself, while its execution may go on for others.</summary>
    public bool EndedAlone { get; private set; }

    public bool IsDone => Outcome is not null;

    public void End(ExecutionOutcome outcome, bool alone, Instant at)
    {
        Outcome = outcome;
        EndedAlone = alone;
        EndedAt = at.Wall;
        EndedSince = at.Monotonic;
    }

    public OperationSnapshot ToSnapshot() => new()
    {
        Name = Name,
        Execution = Execution.Id,
        Request = Request,
        // An execution whose hook still runs is over in the journal, but not yet for its waiters.
        Stage = IsDone ? OperationStage.Completed
            : Execution.State is ExecutionState.Running or ExecutionState.Completed ? OperationStage.Executing
            : OperationStage.Queued,
        IsMerged = IsMerged,
        Attempt = Execution.Attempt,
        Tries = Execution.Tries,
        WorkerId = Execution.WorkerId,
        CreatedAt = CreatedAt,
        QueuedAt = Execution.Queued.Wall,
        LeasedAt = Execution.Leased?.Wall,
        StartedAt = Execution.Started?.Wall,
        WaitedThere = Execution.WaitedThere,
        IsAhead = Execution.IsAhead,
        IsHeld = Execution.IsHeld,
        CompletedAt = EndedAt,
        Outcome = Outcome,
    };
}
