namespace RemoteExec.Scheduling;

/// <summary>One client's handle on an execution.</summary>
internal sealed class Operation(string name, Execution execution, ExecutionRequest request, bool isMerged, DateTimeOffset now)
{
    public const string NamePrefix = "operations/";

    public string Name { get; } = name;

    public Execution Execution { get; } = execution;

    public ExecutionRequest Request { get; } = request;

    public bool IsMerged { get; } = isMerged;

    public DateTimeOffset CreatedAt { get; } = now;

    /// <summary>Open feeds.</summary>
    public int Watchers { get; set; }

    /// <summary>Since when nobody watches.</summary>
    public DateTimeOffset UnwatchedSince { get; set; } = now;

    /// <summary>Set when it is over for this client: by the execution's end, or before it by cancellation.</summary>
    public ExecutionOutcome? Outcome { get; private set; }

    public DateTimeOffset? EndedAt { get; private set; }

    /// <summary>Ended by itself, while its execution may go on for others.</summary>
    public bool EndedAlone { get; private set; }

    public bool IsDone => Outcome is not null;

    public void End(ExecutionOutcome outcome, bool alone, DateTimeOffset now)
    {
        Outcome = outcome;
        EndedAlone = alone;
        EndedAt = now;
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
        WorkerId = Execution.WorkerId,
        CreatedAt = CreatedAt,
        QueuedAt = Execution.QueuedAt,
        LeasedAt = Execution.LeasedAt,
        StartedAt = Execution.StartedAt,
        CompletedAt = EndedAt,
        Outcome = Outcome,
    };
}
