using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>Keeps the scheduler from the failures of whoever watches it.</summary>
internal sealed class GuardedSchedulingObserver(ISchedulingObserver? inner) : ISchedulingObserver
{
    public static readonly GuardedSchedulingObserver Nobody = new(inner: null);

    public void Merged() => Observers.Tell(inner, 0, static (observer, _) => observer.Merged());

    public void Requeued() => Observers.Tell(inner, 0, static (observer, _) => observer.Requeued());

    public void Ended(CompletedExecution execution) => Observers.Tell(inner, execution, static (observer, ended) => observer.Ended(ended));

    public void CompletionFailed() => Observers.Tell(inner, 0, static (observer, _) => observer.CompletionFailed());

    public void WorkerConnected(string pool) => Observers.Tell(inner, pool, static (observer, joined) => observer.WorkerConnected(joined));

    public void WorkerDisconnected(string pool) => Observers.Tell(inner, pool, static (observer, left) => observer.WorkerDisconnected(left));

    public void StaleReport() => Observers.Tell(inner, 0, static (observer, _) => observer.StaleReport());
}
