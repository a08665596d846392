using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// Who waits, who runs what, who watches. Pure: no I/O, no clock (every event brings its time), no randomness but
/// the one handed in; the same events give the same transitions. Not thread-safe: <see cref="Scheduler"/> holds one
/// lock around each event and takes the transitions under it.
/// </summary>
/// <remarks>
/// The events are the internal methods: of clients here, of workers in <c>BuildQueue.Workers.cs</c>, of time in
/// <c>BuildQueue.Time.cs</c>, of a restart in <c>BuildQueue.Recovery.cs</c>. Between events one rule holds:
/// nothing waits that a worker with room could run.
/// </remarks>
internal sealed partial class BuildQueue(SchedulerOptions options, Func<UInt128> random)
{
    private readonly PlatformMatching _matching = new(options.IgnoredProperties);

    private readonly Dictionary<ExecutionId, Execution> _executions = [];
    private readonly Dictionary<string, Operation> _operations = [];

    /// <summary>In-flight de-duplication: the execution that the next equal request joins (REAPI E9, TRUST Q16).</summary>
    private readonly Dictionary<MergeKey, Execution> _joinable = [];

    private readonly Dictionary<Platform, PlatformQueue> _queues = [];
    private readonly Dictionary<Platform, WorkerClass> _classes = [];
    private readonly Dictionary<string, Worker> _workers = [];

    /// <summary>Ended operations, the oldest first.</summary>
    private readonly LinkedList<Operation> _finished = new();

    private Transitions _transitions = new();
    private long _finishedBytes;
    private long _sequence;
    private int _queued;
    private int _leased;
    private int _running;

    /// <summary>Completed executions whose hook has not run: their waiters do not know yet.</summary>
    private int _unpublished;

    /// <summary>False once the coordinator drains: what waits then waits for the next process.</summary>
    private bool _isLeasing = true;

    /// <summary>What the events since the last call did.</summary>
    public Transitions TakeTransitions()
    {
        var taken = _transitions;
        if (!taken.IsEmpty) _transitions = new Transitions();
        return taken;
    }

    /// <summary>A client asks. It counts as watching from here on.</summary>
    public Operation Submit(ExecutionRequest request, DateTimeOffset now)
    {
        // Here rather than when something ends: the records ride along with the new one's, and who waits for an end
        // does not wait for them.
        ForgetOld(now);

        var key = new MergeKey(request.Instance, request.Action);
        var joined = request.DoNotCache ? null : FindJoinable(key, request.SkipCacheLookup);
        var execution = joined ?? Create(request, now);

        // Random, not derived from the execution: a name is the right to watch and to cancel.
        var operation = Attach(Operation.NamePrefix + new ExecutionId(random()), execution, request, joined is not null, now);
        operation.Watchers = 1;
        Record(new JournalRecord.OperationCreated(
            operation.Name, execution.Id, joined is null ? null : request, now));
        Changed(operation);

        if (joined is null)
        {
            if (!request.DoNotCache) _joinable[key] = execution;
            Serve(execution.Queue, now);
        }
        else if (request.Priority < joined.Priority && joined.State != ExecutionState.Completed)
        {
            // Everyone who waits gains from the most urgent of them.
            Leave(joined);
            joined.Priority = request.Priority;
            Enter(joined, now);
        }

        return operation;
    }

    /// <summary>Nothing is leased from here on, and nobody is refused for want of workers; all else goes on.</summary>
    public void StopLeasing() => _isLeasing = false;

    public Operation? Find(string operation) => _operations.GetValueOrDefault(operation);

    /// <summary>One more feed is open on an operation; false when there is no such operation.</summary>
    public bool Watch(string operation)
    {
        if (Find(operation) is not { } found) return false;

        found.Watchers++;
        return true;
    }

    public void Unwatch(string operation, DateTimeOffset now)
    {
        if (Find(operation) is not { } found) return;

        Debug.Assert(found.Watchers > 0, "a feed was closed twice");
        if (--found.Watchers > 0 || found.IsDone) return;
        found.UnwatchedSince = now;
        At(now + options.AbandonedGrace, new Due.OperationAbandoned(found));
    }

    /// <summary>google.longrunning.Operations.CancelOperation: idempotent; false when there is no such operation.</summary>
    public bool Cancel(string operation, DateTimeOffset now)
    {
        if (Find(operation) is not { } found) return false;

        EndAlone(found, "was cancelled on request", now);
        return true;
    }

    /// <summary>google.longrunning.Operations.DeleteOperation: forgets one that is done. False when there is no such operation.</summary>
    public bool Delete(string operation)
    {
        if (Find(operation) is not { } found) return false;
        if (!found.IsDone)
        {
            throw new SchedulingException(
                OutcomeCode.FailedPrecondition, $"{operation} is not done: cancel it first, deleting does not stop it");
        }

        Forget(found);
        return true;
    }

    /// <summary>The completion hook of an ended execution has run: its waiters may know, and nobody joins any more.</summary>
    public void Publish(ExecutionId id, DateTimeOffset now)
    {
        var execution = _executions[id];
        Debug.Assert(execution is { State: ExecutionState.Completed, IsPublished: false }, "published once, after the end");
        execution.IsPublished = true;
        _unpublished--;

        var key = new MergeKey(execution.Request.Instance, execution.Request.Action);
        if (_joinable.GetValueOrDefault(key) == execution) _joinable.Remove(key);

        _finishedBytes += execution.Outcome!.Response.Length;
        foreach (var operation in execution.Operations.Where(operation => !operation.IsDone))
            End(operation, execution.Outcome, alone: false, now);

        DropIfForgotten(execution);
    }

    public QueueSnapshot Snapshot(DateTimeOffset now) => new(
        now,
        _queued,
        _leased,
        _running,
        [.. _queues.Values.Select(queue => new PlatformSnapshot(
            queue.Platform.ValuesOf(PlatformMatching.Pool).FirstOrDefault(""),
            queue.Platform,
            queue.Waiting.Count,
            queue.Leased,
            queue.Running,
            queue.Waiting.Count == 0 ? null : queue.Waiting.Min(execution => execution.QueuedAt),
            queue.UnsatisfiableSince is null))],
        [.. _workers.Values.OrderBy(worker => worker.Ordinal).Select(worker => new WorkerSnapshot(
            worker.Description, worker.State, Math.Min(worker.Held.Count, worker.Description.Slots), [.. worker.Held.Keys], worker.JoinedAt, worker.LastHeardAt))],
        [.. NewestFinished().Take(options.RecentlyFinishedMax).Select(operation => operation.ToSnapshot())]);

    private IEnumerable<Operation> NewestFinished()
    {
        for (var node = _finished.Last; node is not null; node = node.Previous) yield return node.Value;
    }

    private Execution? FindJoinable(MergeKey key, bool skipCacheLookup)
    {
        if (!_joinable.TryGetValue(key, out var execution)) return null;

        // REAPI E7: this client wants a run that starts after its request. One that has been given to a worker may
        // have started already.
        return skipCacheLookup && execution.State != ExecutionState.Queued ? null : execution;
    }

    private Execution Create(ExecutionRequest request, DateTimeOffset now)
    {
        if (_queued >= options.QueuedMax)
        {
            throw new SchedulingException(
                OutcomeCode.ResourceExhausted,
                $"{_queued} executions are waiting already, and no more than {options.QueuedMax} may",
                // Long enough for a busy farm to have made room.
                retryAfter: TimeSpan.FromSeconds(5));
        }

        var execution = Add(new ExecutionId(random()), request, now, now);
        Record(new JournalRecord.ExecutionCreated(execution.Id, request, now));
        return execution;
    }

    /// <param name="queuedAt">Before <paramref name="now"/> when a journal is replayed.</param>
    private Execution Add(ExecutionId id, ExecutionRequest request, DateTimeOffset queuedAt, DateTimeOffset now)
    {
        var queue = QueueFor(_matching.Asked(request.Platform), now);
        var execution = new Execution(id, request, queue, _sequence++, queuedAt);
        _executions.Add(id, execution);
        queue.Live++;
        Enter(execution, now);
        return execution;
    }

    private Operation Attach(string name, Execution execution, ExecutionRequest request, bool isMerged, DateTimeOffset now)
    {
        var operation = new Operation(name, execution, request, isMerged, now);
        _operations.Add(name, operation);
        execution.Operations.Add(operation);
        return operation;
    }

    private PlatformQueue QueueFor(Platform asked, DateTimeOffset now)
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
    private void Serve(PlatformQueue queue, DateTimeOffset now)
    {
        while (_isLeasing && queue.Waiting.Min is { } execution && queue.BestWorker() is { } worker) Give(execution, worker, now);
    }

    /// <summary>Gives a worker with room what waits longest among all that it may run.</summary>
    private void Feed(Worker worker, DateTimeOffset now)
    {
        while (_isLeasing && worker.HasRoom && worker.Class is { } @class)
        {
            Execution? next = null;
            foreach (var queue in @class.Queues)
            {
                if (queue.Waiting.Min is { } head && (next is null || PlatformQueue.ByTurn.Compare(head, next) < 0)) next = head;
            }

            if (next is null) return;
            Give(next, worker, now);
        }
    }

    private void Give(Execution execution, Worker worker, DateTimeOffset now)
    {
        Unseat(worker);
        Leave(execution);
        execution.Lease(worker, execution.Attempt + 1, now);
        Enter(execution, now);
        worker.Held.Add(execution.LeaseId, null);
        Seat(worker);

        Record(new JournalRecord.ExecutionLeased(execution.Id, execution.Attempt, worker.Id, now));
        Tell(worker, new WorkerCommand.OfferLease(new Lease(execution.LeaseId, execution.Request, execution.QueuedAt)));
    }

    /// <summary>The current attempt came to nothing. The holder's slot is the caller's business.</summary>
    private void Lose(Execution execution, string reason, bool counts, DateTimeOffset now)
    {
        var lost = new LostAttempt(
            execution.Attempt, execution.Losses + (counts ? 1 : 0), execution.WorkerId, reason, now);
        if (counts && lost.Losses >= options.AttemptsMax)
        {
            execution.Remember(lost);
            Complete(execution, ExecutionEvent.GiveUp, GivenUp(execution), now);
            return;
        }

        Leave(execution);
        execution.Requeue(lost);
        Enter(execution, now);
        Record(new JournalRecord.ExecutionRequeued(execution.Id, lost.Attempt, lost.Losses, reason, now));
        Changed(execution);
    }

    private static ExecutionOutcome GivenUp(Execution execution) => new()
    {
        // Retriable (REAPI E19): the next try may meet healthier workers.
        Code = OutcomeCode.Unavailable,
        Blame = Blame.Worker,
        Message = $"gave up after {execution.Losses} lost attempts: "
            + string.Join("; ", execution.Lost.Select(lost => $"attempt {lost.Attempt} on {lost.WorkerId}: {lost.Reason}")),
    };

    private void Complete(Execution execution, ExecutionEvent @event, ExecutionOutcome outcome, DateTimeOffset now)
    {
        // Its slot stays taken until the worker has killed what runs there.
        if (@event == ExecutionEvent.Cancel && execution.Holder is { } holder)
            Tell(holder, new WorkerCommand.CancelLease(execution.LeaseId, outcome.Message));

        Leave(execution);
        execution.Complete(@event, outcome, now);
        Enter(execution, now);
        _unpublished++;
        Record(new JournalRecord.ExecutionCompleted(execution.Id, outcome, now));
        _transitions.Effects.Add(new Effect.ExecutionEnded(new CompletedExecution(
            execution.Id, execution.Request, outcome, execution.Attempt, execution.WorkerId, execution.Pool,
            execution.QueuedAt, execution.LeasedAt, execution.StartedAt, now)));
    }

    /// <summary>One client's wish or absence ends its handle; the execution goes on while others wait for it (REAPI E9).</summary>
    private void EndAlone(Operation operation, string why, DateTimeOffset now)
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
        Record(new JournalRecord.OperationEnded(operation.Name, outcome, now));
        End(operation, outcome, alone: true, now);

        if (execution.Can(ExecutionEvent.Cancel) && execution.Operations.TrueForAll(other => other.IsDone))
        {
            Complete(execution, ExecutionEvent.Cancel, outcome, now);
        }
    }

    private void End(Operation operation, ExecutionOutcome outcome, bool alone, DateTimeOffset now)
    {
        operation.End(outcome, alone, now);
        _finished.AddLast(operation);
        WatchRetention();
        Changed(operation);
    }

    private void ForgetOld(DateTimeOffset now)
    {
        while (_finished.First?.Value is { } oldest
            && (oldest.EndedAt + options.FinishedRetention <= now
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
    }

    private void Remove(Operation operation)
    {
        _operations.Remove(operation.Name);
        _finished.Remove(operation);
        operation.Execution.Operations.Remove(operation);
        _transitions.Effects.Add(new Effect.OperationForgotten(operation.Name));
        DropIfForgotten(operation.Execution);
    }

    private void DropIfForgotten(Execution execution)
    {
        // Before it is published the hook still wants it.
        if (!execution.IsPublished || execution.Operations.Count > 0) return;

        _finishedBytes -= execution.Outcome!.Response.Length;
        _executions.Remove(execution.Id);
    }

    /// <summary>Takes an execution out of the sets and counts that follow from its state; <see cref="Enter"/> puts it back after a change.</summary>
    private void Leave(Execution execution)
    {
        switch (execution.State)
        {
            case ExecutionState.Queued:
                execution.Queue.Waiting.Remove(execution);
                _queued--;
                break;
            case ExecutionState.Leased:
                execution.Queue.Leased--;
                _leased--;
                break;
            case ExecutionState.Running:
                execution.Queue.Running--;
                _running--;
                break;
            default:
                throw new UnreachableException("what is completed does not change");
        }
    }

    private void Enter(Execution execution, DateTimeOffset now)
    {
        var queue = execution.Queue;
        switch (execution.State)
        {
            case ExecutionState.Queued:
                queue.Waiting.Add(execution);
                _queued++;
                WatchSatisfiable(queue, now + options.UnsatisfiableMax);
                break;
            case ExecutionState.Leased:
                queue.Leased++;
                _leased++;
                break;
            case ExecutionState.Running:
                queue.Running++;
                _running++;
                break;
            default:
                if (--queue.Live == 0) RemoveQueue(queue);
                break;
        }
    }

    private void RemoveQueue(PlatformQueue queue)
    {
        _queues.Remove(queue.Platform);
        foreach (var @class in queue.Classes) @class.Queues.Remove(queue);
    }

    private void Record(JournalRecord record) => _transitions.Records.Add(record);

    private void Changed(Operation operation) =>
        _transitions.Effects.Add(new Effect.OperationChanged(operation.ToSnapshot()));

    private void Changed(Execution execution)
    {
        foreach (var operation in execution.Operations.Where(operation => !operation.IsDone)) Changed(operation);
    }

    private void Tell(Worker worker, WorkerCommand command)
    {
        // Without a session there is nobody to tell: on rejoining, what it runs is reconciled.
        if (worker.Session != NoSession) _transitions.Effects.Add(new Effect.WorkerTold(worker.Session, command));
    }

    private readonly record struct MergeKey(InstanceName Instance, Digest Action);
}
