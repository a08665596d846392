using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <content>What the events do to executions and operations: begin, be given out, come to nothing, end, be forgotten.</content>
internal sealed partial class BuildQueue
{
    private Execution Create(ExecutionRequest request, Instant now)
    {
        if (_filing.Queued >= options.QueuedMax)
        {
            throw new SchedulingException(
                OutcomeCode.ResourceExhausted,
                $"{_filing.Queued} executions are waiting already, and no more than {options.QueuedMax} may",
                // Long enough for a busy farm to have made room.
                retryAfter: TimeSpan.FromSeconds(5));
        }

        var execution = Add(new ExecutionId(random()), request, now, now);
        Record(new JournalRecord.ExecutionCreated(execution.Id, request, now.Wall));
        return execution;
    }

    private Execution Add(ExecutionId id, ExecutionRequest request, Instant queued, Instant now)
    {
        var queue = QueueFor(_matching.Asked(request.Platform), now);
        var execution = new Execution(id, request, queue, _sequence++, queued, now);
        _executions.Add(id, execution);
        _filing.Add(execution);
        WatchSatisfiable(queue, now.Monotonic + options.UnsatisfiableMax);
        return execution;
    }

    private Operation Attach(string name, Execution execution, ExecutionRequest request, bool isMerged, DateTimeOffset createdAt)
    {
        var operation = new Operation { Name = name, Execution = execution, Request = request, IsMerged = isMerged, CreatedAt = createdAt };
        _operations.Add(name, operation);
        _live.AddLast(operation.Node);
        execution.Operations.Add(operation);
        return operation;
    }

    private void Hurry(Execution execution, int priority, Instant now)
    {
        if (priority >= execution.Priority || execution.State == ExecutionState.Completed) return;
        using (_filing.TakeOut(execution)) execution.Hurry(priority);
        Displace(execution, now);
    }

    /// <summary>After a change to who watches: what nobody waits for stands behind all that somebody waits for.</summary>
    private void Regard(Execution execution, Instant now)
    {
        bool isWatched = execution.Operations.Exists(operation => operation is { IsDone: false, Watchers: > 0 });
        if (isWatched == execution.IsWatched || execution.State == ExecutionState.Completed) return;
        using (_filing.TakeOut(execution)) execution.Regard(isWatched);

        Displace(execution, now);
        if (execution is not { IsAhead: true, IsRecalled: false, Holder.Class: { } @class }) return;
        foreach (var head in @class.Queues.Select(queue => queue.Waiting.Min).OfType<Execution>().ToArray()) Displace(head, now);
    }

    private PlatformQueue QueueFor(Platform asked, Instant now)
    {
        if (_queues.TryGetValue(asked, out var queue)) return queue;

        queue = new PlatformQueue(asked, now);
        _queues.Add(asked, queue);
        foreach (var @class in _classes.Values.Where(@class => PlatformMatching.Covers(@class.Offer, asked)))
        {
            queue.Classes.Add(@class);
            @class.Queues.Add(queue);
        }

        UpdateSatisfiable(queue, now);
        return queue;
    }

    /// <summary>Gives what waits here to whoever has room.</summary>
    private void Serve(PlatformQueue queue, Instant now)
    {
        while (_isLeasing && queue.Waiting.Min is { } execution && queue.BestWorkerFor(execution) is { } worker
            && (worker.HasFreeSlot || MayWaitAt(worker, execution)))
        {
            Give(execution, worker, now);
        }

        if (queue.Waiting.Min is { } first) Displace(first, now);
    }

    /// <summary>Gives a worker with room what waits longest among all that it may run, wherever it waits.</summary>
    private void Feed(Worker worker, Instant now)
    {
        while (_isLeasing && worker.HasRoom && worker.Class is { } @class && NextFor(worker, @class) is { } next)
        {
            if (next.State != ExecutionState.Queued) Recall(next, worker, now);
            // To wait here it is given only if it can begin nowhere: this may be asked first when something comes back that others may run.
            else Give(next, !worker.HasFreeSlot && next.Queue.BestWorkerFor(next) is { HasFreeSlot: true } other ? other : worker, now);
        }
    }

    private void Give(Execution execution, Worker worker, Instant now)
    {
        using (_filing.TakeOut(execution)) execution.Lease(worker, execution.Attempt + 1, isAhead: !worker.HasFreeSlot, now);
        Holding holding;
        using (worker.StandUp()) holding = worker.Take(execution.LeaseId);

        Record(new JournalRecord.ExecutionLeased(execution.Id, execution.Attempt, worker.Id, now.Wall));
        // What nobody waits for stands behind every priority.
        int priority = execution.IsWatched ? execution.Priority : int.MaxValue;
        Tell(worker, new WorkerCommand.OfferLease(new Lease(execution.LeaseId, execution.Request, execution.Queued.Wall, priority)), holding);
    }

    private void Start(Execution execution, TimeSpan waited, Instant now)
    {
        if (execution.State == ExecutionState.Running)
        {
            // Said again, after a hello that could not say how long it had waited.
            execution.HaveWaited(waited);
            return;
        }

        if (execution is not { Holder: { } holder, IsAhead: var hasOvertaken }) return;

        using (_filing.TakeOut(execution)) execution.Start(waited, now);
        Changed(execution);
        EndRecall(execution, now);
        if (execution.RecalledUnder == execution.LeaseId) Answers(holder, now);
        if (!hasOvertaken) return;
        Pass(execution, holder);
        WaitAgain(holder, now);
    }

    /// <summary>The current attempt came to nothing. The holder's slot, and who is served next, are the caller's business.</summary>
    /// <param name="hold">It waits for inputs from now on.</param>
    private void Lose(Execution execution, string reason, Blame blame, AttemptEnd end, Instant now, InputHold? hold = null)
    {
        var rule = BlameRules.Of(blame, end);
        var lost = new LostAttempt(
            execution.Attempt, execution.Losses + (rule.CostsAttempt ? 1 : 0), execution.WorkerId, reason, now.Wall);
        if (rule.CostsAttempt && lost.Losses >= options.AttemptsMax)
        {
            execution.Remember(lost);
            Complete(execution, ExecutionEvent.GiveUp, GivenUp(execution, blame), now);
            return;
        }

        TimeSpan? notBefore = hold is not null ? Execution.HeldUntil : rule.Waits ? now.Monotonic + WaitAfter(lost.Losses) : null;
        using (_filing.TakeOut(execution)) execution.Requeue(lost, notBefore, now);
        if (hold is not null) Hold(execution, hold, now);
        else if (notBefore is { } at) At(at, new Due.WaitOver(execution));
        WatchSatisfiable(execution.Queue, now.Monotonic + options.UnsatisfiableMax);
        Record(new JournalRecord.ExecutionRequeued(execution.Id, lost.Attempt, lost.Losses, reason, now.Wall));
        if (rule.CostsAttempt) _transitions.Effects.Add(new Effect.AttemptLost());
        Changed(execution);
        EndRecall(execution, now);
    }

    /// <summary>
    /// Twice as long each time. From half of it to the whole, so that what one fault has thrown back does not come again in one instant.
    /// </summary>
    private TimeSpan WaitAfter(int losses)
    {
        var longest = options.AttemptWaitFirst * (1 << Math.Clamp(losses - 1, 0, 16));
        if (longest > options.AttemptWaitMax) longest = options.AttemptWaitMax;
        double share = (double)(ulong)random() / ulong.MaxValue;
        return longest / 2 + longest / 2 * share;
    }

    private static ExecutionOutcome GivenUp(Execution execution, Blame blame) => new()
    {
        // Retriable (REAPI E19): the next try may meet healthier workers.
        Code = OutcomeCode.Unavailable,
        Blame = blame,
        Message = $"gave up after {execution.Losses} lost attempts: "
            + string.Join("; ", execution.Lost.Select(lost => $"attempt {lost.Attempt} on {lost.WorkerId}: {lost.Reason}")),
    };

    private void Complete(Execution execution, ExecutionEvent @event, ExecutionOutcome outcome, Instant now)
    {
        // Its slot stays taken until the worker has killed what runs there.
        if (@event == ExecutionEvent.Cancel && execution.Holder is { } holder) Kill(holder, execution.LeaseId, outcome.Message, now);

        using (_filing.TakeOut(execution)) execution.Complete(@event, outcome, now.Wall);
        RemoveIfUnused(execution.Queue);
        _unpublished++;
        Record(new JournalRecord.ExecutionCompleted(execution.Id, outcome, now.Wall));
        _transitions.Effects.Add(new Effect.ExecutionEnded(new CompletedExecution(
            execution.Id, execution.Request, outcome, execution.Attempt, execution.WorkerId, execution.Pool,
            execution.Queued.Wall, execution.Leased?.Wall, execution.Started?.Wall, now.Wall)
        {
            Tries = execution.Tries,
            Waited = execution.Leased - execution.Queued + execution.WaitedThere,
            WaitedThere = execution.WaitedThere,
            Assigned = execution.Started - execution.Leased - execution.WaitedThere,
        }));
        EndRecall(execution, now);
    }

    /// <summary>One client's wish or absence ends its handle; the execution goes on while others wait for it (REAPI E9).</summary>
    private void EndAlone(Operation operation, string why, Instant now)
    {
        if (operation.IsDone) return;

        var execution = operation.Execution;
        string stage = execution.State == ExecutionState.Running ? "running" : "queued";
        var outcome = new ExecutionOutcome
        {
            Code = OutcomeCode.Cancelled,
            Blame = Blame.Client,
            Message = $"{operation.Name} {why} while it was {stage}",
        };
        Record(new JournalRecord.OperationEnded(operation.Name, outcome, now.Wall));
        End(operation, outcome, alone: true, now);

        if (execution.Can(ExecutionEvent.Cancel) && execution.Operations.TrueForAll(other => other.IsDone))
            Complete(execution, ExecutionEvent.Cancel, outcome, now);
        else
            Regard(execution, now);
    }

    private void End(Operation operation, ExecutionOutcome outcome, bool alone, Instant now)
    {
        operation.End(outcome, alone, now);
        _export?.Leaves(operation);
        _live.Remove(operation.Node);
        _finished.AddLast(operation.Node);
        WatchRetention();
        Changed(operation);
    }

    private void ForgetOld(Instant now)
    {
        while (_finished.First?.Value is { } oldest
            && (oldest.EndedSince + options.FinishedRetention <= now.Monotonic
                || _finished.Count > options.FinishedMax
                || _finishedBytes > options.FinishedBytesMax))
        {
            Forget(oldest);
        }
    }

    private void Forget(Operation operation)
    {
        Record(new JournalRecord.OperationForgotten(operation.Name));
        Remove(operation);
        _transitions.Effects.Add(new Effect.OperationForgotten(operation.Name));
        DropIfForgotten(operation.Execution);
    }

    private void Remove(Operation operation)
    {
        _operations.Remove(operation.Name);
        _export?.Leaves(operation);
        operation.Node.List!.Remove(operation.Node); // known, so it stands in one of the two
        operation.Execution.Operations.Remove(operation);
    }

    private void DropIfForgotten(Execution execution)
    {
        // Before it is published the hook still wants it.
        if (!execution.IsPublished || execution.Operations.Count > 0) return;

        _finishedBytes -= execution.Outcome!.Response.Length;
        _executions.Remove(execution.Id);
        _export?.Leaves(execution);
        _filing.Remove(execution);
    }

    private void RemoveIfUnused(PlatformQueue queue)
    {
        if (queue.Live > 0) return;

        _queues.Remove(queue.Platform);
        foreach (var @class in queue.Classes) @class.Queues.Remove(queue);
    }
}
