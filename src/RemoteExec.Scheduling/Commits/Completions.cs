using System.Collections.Concurrent;
using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// The ends of executions. The hook of each runs beside the append of its end: both take a disk's time. Its waiters are told
/// when both are over.
/// </summary>
/// <param name="publish">Tells the queue that the hook of an ended execution is over.</param>
internal sealed class Completions(
    Func<CompletedExecution, CancellationToken, ValueTask>? onCompleted, Action<ExecutionId> publish, ISchedulingObserver observer) : IDisposable
{
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Those whose hooks still run.</summary>
    private readonly ConcurrentDictionary<ExecutionId, Task> _endings = new();

    /// <summary>Starts the hooks of all that ends in this commit.</summary>
    public List<Ending> Begin(Commit commit)
    {
        List<Ending> endings = [];
        foreach (var effect in commit.Effects)
        {
            if (effect is Effect.ExecutionEnded { Execution: var execution })
                endings.Add(new Ending(execution.Id, onCompleted is null ? Task.CompletedTask : Task.Run(() => RunAsync(onCompleted, execution))));
        }

        return endings;
    }

    /// <summary>Their ends are durable: each is published when its hook is over.</summary>
    public void Publish(List<Ending> endings)
    {
        foreach (var ending in endings) Track(ending.Execution, PublishAsync(ending));
    }

    /// <summary>Their ends may not be durable: nobody hears of them.</summary>
    public void Abandon(List<Ending> endings)
    {
        foreach (var ending in endings) Track(ending.Execution, ending.Hook);
    }

    /// <summary>What a shutdown has to wait for; null when nothing is under way.</summary>
    public Task? UnderWay() => _endings.IsEmpty ? null : Task.WhenAll(_endings.Values);

    /// <summary>Hooks that still run are asked to give up.</summary>
    public void GiveUp() => _stopping.Cancel();

    public void Dispose() => _stopping.Dispose();

    // The result is what clients wait for; a cache entry less costs one run later.
    private async Task RunAsync(Func<CompletedExecution, CancellationToken, ValueTask> hook, CompletedExecution execution) =>
        await ServingLoop.ServeAsync(() => hook(execution, _stopping.Token), _ => observer.CompletionFailed());

    private async Task PublishAsync(Ending ending)
    {
        await ending.Hook;
        ServingLoop.Serve(
            (Publish: publish, ending.Execution),
            static telling => telling.Publish(telling.Execution),
            static (_, failure) => Trace.TraceError(failure.ToString()));
    }

    private void Track(ExecutionId execution, Task ending)
    {
        if (ending.IsCompleted) return;
        _endings[execution] = ending;
        // By the task's own completion: what removed itself as its last step could do so before it is in the table.
        ending.ContinueWith(
            _ => _endings.TryRemove(execution, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>An execution that has ended, and its hook.</summary>
    public readonly record struct Ending(ExecutionId Execution, Task Hook);
}
