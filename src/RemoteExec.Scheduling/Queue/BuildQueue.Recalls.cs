namespace RemoteExec.Scheduling;

/// <content>
/// What waits at a worker for one of its slots is still in line: it goes where a slot is free, and gives way to what stands before it. It
/// is called back for that, and its holder, which knows whether it has begun, has the last word.
/// </content>
internal sealed partial class BuildQueue
{
    /// <summary>
    /// The first in line of what this worker may run: from the queue, or, where it has a slot, from another worker's waiting room. Null also
    /// where it would only wait here, and something before it has been passed by too often.
    /// </summary>
    private static Execution? NextFor(Worker worker, WorkerClass @class)
    {
        Execution? next = null;
        foreach (var queue in @class.Queues)
        {
            next = Earlier(next, queue.Waiting.Min);
            if (worker.HasFreeSlot) next = Earlier(next, FirstElsewhere(queue, worker));
        }

        return next is not null && (worker.HasFreeSlot || MayWaitAt(worker, next)) ? next : null;
    }

    private static Execution? Earlier(Execution? one, Execution? other) =>
        one is null || (other is not null && PlatformQueue.ByTurn.Compare(other, one) < 0) ? other : one;

    /// <summary>Who has not answered is not asked: every question would keep a slot idle.</summary>
    private static Execution? FirstElsewhere(PlatformQueue queue, Worker worker) =>
        queue.Ahead.FirstOrDefault(execution => execution.Holder != worker && !execution.Holder!.IgnoresRecalls); // what waits at a worker has one

    private static Execution? FirstElsewhere(Worker worker)
    {
        Execution? first = null;
        foreach (var queue in worker.Class?.Queues ?? []) first = Earlier(first, FirstElsewhere(queue, worker));
        return first;
    }

    /// <summary>
    /// It need not leave a place before it to what waits elsewhere and was passed by too often. While that waits, rooms are not filled
    /// again with what stands behind it, so that a slot becomes free for it somewhere within a round, however long its own holder takes.
    /// </summary>
    private static bool MayWaitAt(Worker worker, Execution execution) =>
        FirstElsewhere(worker) is not { IsPassed: true } first || PlatformQueue.ByTurn.Compare(first, execution) > 0;

    /// <summary>
    /// A worker has begun what waited in its room, although something before it waits elsewhere. Without that a room would be worth nothing;
    /// but it happens to nobody more often than there are workers that can run it, and to what is more urgent only once.
    /// </summary>
    private static void Pass(Execution begun, Worker worker)
    {
        if (FirstElsewhere(worker) is not { IsPassed: false } first || PlatformQueue.ByTurn.Compare(first, begun) > 0) return;

        bool isMoreUrgent = first.IsWatched != begun.IsWatched || first.Priority != begun.Priority;
        first.IsPassed = ++first.Passes >= first.Queue.Classes.Sum(@class => @class.Members.Count) || isMoreUrgent;
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
        At(now.Monotonic + options.RecallAnswerMax, new Due.RecallUnanswered(execution, execution.Recalls));
    }

    /// <summary>It has come, has begun, or is over.</summary>
    private void EndRecall(Execution execution, Instant now)
    {
        var displacing = execution.GivesWayTo;
        if (execution.EndRecall() is { } keptAt)
        {
            using (keptAt.StandUp()) keptAt.KeepNoMore();
            Feed(keptAt, now);
        }

        // It has not come, so another has to.
        if (execution.Holder is null || displacing is not { State: ExecutionState.Queued }) return;
        displacing.HasDisplaced = false;
        Displace(displacing, now);
    }

    /// <summary>It stays where it is.</summary>
    private void Stay(Execution execution, Instant now)
    {
        using (_filing.TakeOut(execution)) execution.Stay(now);
        EndRecall(execution, now);
    }

    /// <summary>A slot has become free at a worker: what waits there the longest begins, and nobody need call it back.</summary>
    private void BeginAhead(Worker worker, Instant now)
    {
        while (worker.Held.Count - worker.Ahead.Count < worker.Description.Slots && worker.Ahead.Min is { } next)
        {
            using (_filing.TakeOut(next)) next.Stay(now);
            Pass(next, worker);
        }
    }

    /// <summary>
    /// More is in a worker's hands than it has slots for, and not all the rest waits: something that waited has begun in the place of
    /// what was to begin, since its inputs were there first. The last of those is still in line.
    /// </summary>
    private void WaitAgain(Worker worker, Instant now)
    {
        while (worker.Held.Count - worker.Ahead.Count > worker.Description.Slots && LastToBegin(worker) is { } last)
        {
            using (_filing.TakeOut(last)) last.WaitAgain();
        }

        OfferElsewhere(worker, now);
    }

    /// <summary>It answers, so that what waits there can be called back again.</summary>
    private void Answers(Worker worker, Instant now)
    {
        if (!worker.IgnoresRecalls) return;
        worker.Unanswered = null;
        OfferElsewhere(worker, now);
    }

    /// <summary>What waits at a worker can be called back from now on: whoever has a slot for it has looked for work before.</summary>
    private void OfferElsewhere(Worker worker, Instant now)
    {
        foreach (var waiting in worker.Ahead.ToArray())
        {
            if (waiting.Queue.BestWorkerFor(waiting) is { HasFreeSlot: true } other) Feed(other, now);
        }
    }

    private Execution? LastToBegin(Worker worker) => worker.Held.Keys
        .Select(lease => Current(worker, lease)).OfType<Execution>()
        .Where(execution => execution is { State: ExecutionState.Leased, IsAhead: false, IsRecalled: false })
        .Max(PlatformQueue.ByTurn);

    /// <summary>Nobody has room for it: the last of those behind it that wait where it may run gives way. Once for each wait.</summary>
    private void Displace(Execution execution, Instant now)
    {
        if (!_isLeasing || execution is not { State: ExecutionState.Queued, NotBefore: null, HasDisplaced: false }) return;

        Execution? last = null;
        foreach (var queue in execution.Queue.Classes.SelectMany(@class => @class.Queues).Distinct())
        {
            var candidate = LastBehind(execution, queue);
            if (candidate is not null && (last is null || PlatformQueue.ByTurn.Compare(candidate, last) > 0)) last = candidate;
        }

        if (last is null) return;
        execution.HasDisplaced = true;
        last.GivesWayTo = execution;
        Recall(last, keptAt: null, now);
    }

    private static Execution? LastBehind(Execution execution, PlatformQueue queue)
    {
        // Mostly there is none, and rooms are many.
        if (queue.Ahead.Max is not { } max || PlatformQueue.ByTurn.Compare(max, execution) < 0) return null;

        return queue.Ahead.Reverse()
            .TakeWhile(ahead => PlatformQueue.ByTurn.Compare(ahead, execution) > 0)
            // By the class of its holder: what waits may ask for less than this does.
            .FirstOrDefault(ahead => ahead.Holder is { IgnoresRecalls: false, Class: { } @class } && PlatformMatching.Covers(@class.Offer, execution.Queue.Platform));
    }
}
