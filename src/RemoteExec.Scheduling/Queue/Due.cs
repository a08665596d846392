namespace RemoteExec.Scheduling;

/// <summary>Something to look at when its time has come. Entries are never removed: what no longer holds is dropped when seen.</summary>
internal abstract record Due
{
    private Due() { }

    public sealed record WorkerSilent(Worker Worker) : Due;

    public sealed record WorkerNotBack(Worker Worker) : Due;

    public sealed record ProbeOpen(Worker Worker) : Due;

    /// <summary>A worker was told to stop something, and should have confirmed by now.</summary>
    public sealed record KillUnconfirmed(Worker Worker, LeaseId Lease) : Due;

    /// <summary>A worker was asked to give back what it has not begun, and should have answered by now.</summary>
    /// <param name="Recall">Which one of the execution: the same lease may be called back twice, with a cut of the line in between.</param>
    public sealed record RecallUnanswered(Execution Execution, int Recall) : Due;

    /// <summary>A worker that is gone has been remembered for its failures long enough.</summary>
    public sealed record RecordOver(string WorkerId, Breaker Breaker) : Due;

    /// <summary>A lost attempt has waited long enough for the next.</summary>
    public sealed record WaitOver(Execution Execution) : Due;

    /// <summary>Whoever makes its inputs has had time enough. By its id: most of them are over by then, and long forgotten.</summary>
    public sealed record HoldOver(ExecutionId Execution) : Due;

    public sealed record OperationAbandoned(Operation Operation) : Due;

    public sealed record PlatformUnsatisfiable(PlatformQueue Queue) : Due;

    public sealed record RetentionOver : Due;
}
