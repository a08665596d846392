namespace RemoteExec.Scheduling;

/// <summary>What must be told once the records that came with it are durable.</summary>
internal abstract record Effect
{
    private Effect() { }

    public sealed record OperationChanged(OperationSnapshot Operation) : Effect;

    public sealed record OperationForgotten(string Operation) : Effect;

    /// <summary>To one session, not to whoever speaks for the worker later.</summary>
    /// <param name="Offered">What an offer puts into the worker's hands: from the telling on it must name it.</param>
    public sealed record WorkerTold(long Session, WorkerCommand Command, Holding? Offered = null) : Effect;

    /// <summary>An attempt that counts came to nothing, and its execution is queued again.</summary>
    public sealed record AttemptLost : Effect;

    /// <summary>The completion hook is due; afterwards the queue wants to hear <see cref="BuildQueue.Publish"/>.</summary>
    public sealed record ExecutionEnded(CompletedExecution Execution) : Effect;
}
