namespace RemoteExec.Scheduling;

/// <summary>
/// Told what the scheduler did, when it is done; metrics hang here. Called under its lock and on the journal's thread: be quick,
/// never wait. What it throws changes nothing.
/// </summary>
public interface ISchedulingObserver
{
    /// <summary>A request joined an execution in flight.</summary>
    void Merged() { }

    /// <summary>An attempt came to nothing and its execution is queued again. What is handed back or called back was no attempt.</summary>
    void Requeued() { }

    /// <summary>The end of an execution is durable.</summary>
    void Ended(CompletedExecution execution) { }

    /// <summary>The completion hook failed: the result is told all the same.</summary>
    void CompletionFailed() { }

    void WorkerConnected(string pool) { }

    void WorkerDisconnected(string pool) { }

    /// <summary>A report about an attempt that had been taken back.</summary>
    void StaleReport() { }
}
