namespace RemoteExec.Scheduling;

/// <summary>
/// One accepted transition. Replaying the records in order rebuilds the queue; every queue, index and set is derived
/// from them (TRUST Q1). That an execution <em>runs</em> is not recorded: its worker says so again when it rejoins.
/// </summary>
public abstract record JournalRecord
{
    private JournalRecord() { }

    public sealed record ExecutionCreated(ExecutionId Execution, ExecutionRequest Request, DateTimeOffset At) : JournalRecord;

    /// <summary>A client got a handle on an execution. <paramref name="Request"/> is null when it equals the one that created it.</summary>
    public sealed record OperationCreated(string Operation, ExecutionId Execution, ExecutionRequest? Request, DateTimeOffset At) : JournalRecord;

    public sealed record ExecutionLeased(ExecutionId Execution, int Attempt, string WorkerId, DateTimeOffset At) : JournalRecord;

    /// <summary><paramref name="Losses"/> counts the attempts that ended through no fault of the action.</summary>
    public sealed record ExecutionRequeued(ExecutionId Execution, int Attempt, int Losses, string Reason, DateTimeOffset At) : JournalRecord;

    public sealed record ExecutionCompleted(ExecutionId Execution, ExecutionOutcome Outcome, DateTimeOffset At) : JournalRecord;

    /// <summary>One handle ended by itself (cancelled, abandoned) while others still wait for the execution.</summary>
    public sealed record OperationEnded(string Operation, ExecutionOutcome Outcome, DateTimeOffset At) : JournalRecord;

    /// <summary>A finished operation was deleted or outlived its retention. The last one takes its execution along.</summary>
    public sealed record OperationForgotten(string Operation) : JournalRecord;
}
