namespace RemoteExec.Scheduling;

/// <content>
/// What waits at a worker for one of its slots is still in line: it goes where a slot is free, and gives way to what stands before it. It
/// is called back for that, and its holder, which knows whether it has begun, has the last word.
/// </content>
internal sealed partial class BuildQueue
{
    /// <summary>The first in line of what this worker may run: from the queue, or, where it has a slot, from another worker's waiting room.</summary>
    private static Execution? NextFor(Worker worker, WorkerClass @class)
    {
        Execution? next = null;
        foreach (var queue in @class.Queues)
        {
            Consider(queue.Waiting.Min);
            if (worker.HasFreeSlot) Consider(queue.Ahead.FirstOrDefault(execution => execution.Holder != worker));
        }

        return next;

        void Consider(Execution? candidate)
        {
            if (candidate is not null && (next is null || PlatformQueue.ByTurn.Compare(candidate, next) < 0)) next = candidate;
        }
    }

    /// <param name="keptAt">Who will be given it, and keeps a slot for it; null when it only gives way.</param>
    private void Recall(Execution execution, Worker? keptAt, Instant now)
    {
        using (_filing.TakeOut(execution)) execution.Recall(keptAt);
        if (keptAt is not null)
        {
            using (keptAt.StandUp()) keptAt.Keep();
        }

        Tell(execution.Holder!, new WorkerCommand.RecallLease(execution.LeaseId)); // what waits at a worker has one
        At(now.Monotonic + options.RecallAnswerMax, new Due.RecallUnanswered(execution, execution.LeaseId));
    }

    /// <summary>It has come, has begun, or is over.</summary>
    private void EndRecall(Execution execution, Instant now)
    {
        if (execution.EndRecall() is not { } keptAt) return;
        using (keptAt.StandUp()) keptAt.KeepNoMore();
        Feed(keptAt, now);
    }

    /// <summary>It stays where it is.</summary>
    private void Stay(Execution execution, Instant now)
    {
        using (_filing.TakeOut(execution)) execution.Stay();
        EndRecall(execution, now);
    }

    /// <summary>A slot has become free at a worker: what waits there the longest begins, and nobody need call it back.</summary>
    private void BeginAhead(Worker worker)
    {
        while (worker.Held.Count - worker.Ahead.Count < worker.Description.Slots && worker.Ahead.Min is { } next)
        {
            using (_filing.TakeOut(next)) next.Stay();
        }
    }

    /// <summary>Nobody has room for it: the last of those behind it that wait where it may run gives way. Once for each wait.</summary>
    private void Displace(Execution execution, Instant now)
    {
        if (!_isLeasing || execution is not { State: ExecutionState.Queued, NotBefore: null, HasDisplaced: false }) return;

        Execution? last = null;
        foreach (var queue in execution.Queue.Classes.SelectMany(@class => @class.Queues))
        {
            // By the class of its holder: what waits may ask for less than this does.
            var candidate = queue.Ahead.Reverse().FirstOrDefault(ahead => execution.Queue.Classes.Contains(ahead.Holder!.Class!));
            if (candidate is not null && (last is null || PlatformQueue.ByTurn.Compare(candidate, last) > 0)) last = candidate;
        }

        if (last is null || PlatformQueue.ByTurn.Compare(execution, last) > 0) return;
        execution.HasDisplaced = true;
        Recall(last, keptAt: null, now);
    }
}
