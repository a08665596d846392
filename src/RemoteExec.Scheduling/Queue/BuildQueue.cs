using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// Who waits, who runs what, who watches. Pure: no I/O, no clock (every event brings its moment), no randomness but
/// the one handed in; the same events give the same transitions. Not thread-safe: <see cref="Scheduler"/> holds one
/// lock around each event and takes the transitions under it.
/// </summary>
/// <remarks>
/// The events are the internal methods: of clients here, of workers in <c>BuildQueue.Workers.cs</c> and <c>BuildQueue.Reports.cs</c>,
/// of time in <c>BuildQueue.Time.cs</c>, of a restart in <c>BuildQueue.Recovery.cs</c>; what they do to executions and operations is in
/// <c>BuildQueue.Executions.cs</c>. Between events two rules hold: nothing waits that a worker with a free slot could run, and
/// nothing that can be called back waits at a worker while another that could run it has one (<c>BuildQueue.Recalls.cs</c>).
/// </remarks>
internal sealed partial class BuildQueue(SchedulerOptions options, Func<UInt128> random)
{
    private readonly PlatformMatching _matching = new(options.IgnoredProperties);

    private readonly Dictionary<ExecutionId, Execution> _executions = [];
    private readonly Filing _filing = new();
    private readonly Dictionary<string, Operation> _operations = [];

    /// <summary>Operations that are not done, in the order in which they were accepted.</summary>
    private readonly LinkedList<Operation> _live = new();

    /// <summary>Ended operations, the oldest first.</summary>
    private readonly LinkedList<Operation> _finished = new();

    /// <summary>In-flight de-duplication: the execution that the next equal request joins (REAPI E9, TRUST Q16).</summary>
    private readonly Dictionary<MergeKey, Execution> _joinable = [];

    private readonly Dictionary<Platform, PlatformQueue> _queues = [];
    private readonly Dictionary<Platform, WorkerClass> _classes = [];
    private readonly Dictionary<string, Worker> _workers = [];

    private Transitions _transitions = new();
    private long _finishedBytes;
    private long _sequence;

    /// <summary>Completed executions whose hook has not run: their waiters do not know yet.</summary>
    private int _unpublished;

    /// <summary>False once the coordinator drains: what waits then waits for the next process.</summary>
    private bool _isLeasing = true;

    /// <summary>Nothing is leased or runs, and whoever waits for an end knows of it.</summary>
    public bool IsIdle => _filing.Leased == 0 && _filing.Running == 0 && _unpublished == 0;

    /// <summary>What the events since the last call did.</summary>
    public Transitions TakeTransitions()
    {
        var taken = _transitions;
        if (!taken.IsEmpty) _transitions = new Transitions();
        return taken;
    }

    /// <summary>A client asks. It counts as watching from here on.</summary>
    /// <param name="hold">What it creates waits for inputs. What it joins has a way of its own.</param>
    public Operation Submit(ExecutionRequest request, Instant now, InputHold? hold = null)
    {
        // Here rather than when something ends: the records ride along with the new one's, and who waits for an end
        // does not wait for them.
        ForgetOld(now);

        var key = new MergeKey(request.Instance, request.Action);
        var joined = request.DoNotCache ? null : FindJoinable(key, request.SkipCacheLookup);
        var execution = joined ?? Create(request, now);
        if (joined is null && hold is not null)
        {
            using (_filing.TakeOut(execution)) execution.Hold();
            Hold(execution, hold, now);
        }

        // Random, not derived from the execution: a name is the right to watch and to cancel.
        var operation = Attach(Operation.NamePrefix + new ExecutionId(random()), execution, request, joined is not null, now.Wall);
        (operation.Watchers, operation.Watches) = (1, 1);
        Regard(execution, now);
        Record(new JournalRecord.OperationCreated(operation.Name, execution.Id, joined is null ? null : request, now.Wall));
        Changed(operation);

        if (joined is null)
        {
            if (!request.DoNotCache) _joinable[key] = execution;
            Serve(execution.Queue, now);
            Displace(execution, now);
        }
        else
        {
            joined.KeepResult(request.ResultPriority);
            Hurry(joined, request.Priority, now);
        }

        return operation;
    }

    /// <summary>The inputs of a held execution are there: it may be given out. False when it is not held any more.</summary>
    public bool Release(ExecutionId id, Instant now)
    {
        if (FindHeld(id) is not { } execution) return false;

        using (_filing.TakeOut(execution)) execution.BeReady();
        Serve(execution.Queue, now);
        return true;
    }

    /// <summary>The inputs of a held execution cannot be made: it ends. False when it is not held any more.</summary>
    public bool Refuse(ExecutionId id, ExecutionOutcome outcome, Instant now)
    {
        if (FindHeld(id) is not { } execution) return false;

        Complete(execution, ExecutionEvent.Refuse, outcome, now);
        return true;
    }

    /// <summary>Nothing is leased from here on, and nobody is refused for want of workers; all else goes on.</summary>
    public void StopLeasing() => _isLeasing = false;

    public Operation? Find(string operation) => _operations.GetValueOrDefault(operation);

    /// <summary>All that are known, in the order in which they came.</summary>
    public IEnumerable<Execution> Executions => _filing.All;

    public IEnumerable<Worker> Workers => _workers.Values.OrderBy(worker => worker.Ordinal);

    /// <summary>An operation on this execution that is not done.</summary>
    public Operation? FindLive(ExecutionId execution) =>
        _executions.GetValueOrDefault(execution)?.Operations.Find(operation => !operation.IsDone);

    /// <summary>Those that are not done, in the order in which they were accepted.</summary>
    public IEnumerable<Operation> Live => _live;

    /// <summary>One more feed is open on an operation; null when there is no such operation.</summary>
    /// <returns>Its number, which its end must carry.</returns>
    public int? Watch(string operation, Instant now)
    {
        if (Find(operation) is not { } found) return null;

        found.Watchers++;
        found.IsUnwanted = false;
        Regard(found.Execution, now);
        return ++found.Watches;
    }

    /// <param name="watch">The feed that ends. Whoever submits has the first.</param>
    /// <param name="isCancelled">Its client does not want it any more. Otherwise it was lost, and may come back for as long as it has grace.</param>
    public void Unwatch(string operation, int watch, bool isCancelled, Instant now)
    {
        if (Find(operation) is not { } found) return;

        Debug.Assert(found.Watchers > 0, "a feed was closed twice");
        // Of an older feed it is stale news: a proxy may reset a stream long after its client has come back on another.
        found.IsUnwanted |= isCancelled && watch == found.Watches;
        if (--found.Watchers > 0 || found.IsDone) return;

        if (found.IsUnwanted)
        {
            EndAlone(found, "was cancelled by its client", now);
            return;
        }

        Abandoned(found, now);
        Regard(found.Execution, now);
    }

    /// <summary>google.longrunning.Operations.CancelOperation: idempotent; false when there is no such operation.</summary>
    public bool Cancel(string operation, Instant now)
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
    public void Publish(ExecutionId id, Instant now)
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

    /// <summary>Costs as much as there are platforms, workers and recent ends, however long the queue is.</summary>
    public QueueSnapshot Snapshot(Instant now) => new(
        now.Wall,
        _filing.Queued,
        _filing.Leased,
        _filing.Running,
        [.. _queues.Values.Select(queue => new PlatformSnapshot(
            queue.Platform.ValuesOf(PlatformMatching.Pool).FirstOrDefault(""),
            queue.Platform,
            queue.Queued.Count,
            queue.Leased,
            queue.Running,
            now - Oldest(queue)?.Queued,
            queue.UnsatisfiableSince is null)
        {
            WaitingOut = queue.Queued.Count - queue.Waiting.Count,
            Ahead = queue.Ahead.Count,
        })],
        [.. Workers.Select(worker => new WorkerSnapshot(
            worker.Description, worker.State, Math.Min(worker.Held.Count, worker.Description.Slots), [.. worker.Held.Keys],
            worker.Joined.Wall, worker.LastHeard.Wall)
        {
            QuarantinedFor = worker.Breaker.LeftOf(now),
            IsStuck = worker.IsStuck,
            SlotsKept = worker.Taken - worker.Held.Count,
        })],
        [.. NewestFinished().Take(options.RecentlyFinishedMax).Select(operation => operation.ToSnapshot())]);

    /// <summary>In line, wherever it stands there. Rooms are small.</summary>
    private static Execution? Oldest(PlatformQueue queue)
    {
        var ahead = queue.Ahead.MinBy(execution => execution.Sequence);
        return queue.Queued.Min is { } first && (ahead is null || first.Sequence < ahead.Sequence) ? first : ahead;
    }

    private IEnumerable<Operation> NewestFinished()
    {
        for (var node = _finished.Last; node is not null; node = node.Previous) yield return node.Value;
    }

    private Execution? FindHeld(ExecutionId id) =>
        _executions.GetValueOrDefault(id) is { State: ExecutionState.Queued, IsHeld: true } execution ? execution : null;

    private Execution? FindJoinable(MergeKey key, bool skipCacheLookup)
    {
        if (!_joinable.TryGetValue(key, out var execution)) return null;

        // What ended otherwise than well is somebody else's news: their cancellation, their bad luck. This client gets a run of its own.
        if (execution.Outcome is { Code: not OutcomeCode.Ok }) return null;

        // REAPI E7: this client wants a run that starts after its request. One that has been given to a worker may
        // have started already.
        return skipCacheLookup && execution.State != ExecutionState.Queued ? null : execution;
    }

    private void Record(JournalRecord record) => _transitions.Records.Add(record);

    private void Changed(Operation operation) =>
        _transitions.Effects.Add(new Effect.OperationChanged(operation.ToSnapshot()));

    private void Changed(Execution execution)
    {
        foreach (var operation in execution.Operations.Where(operation => !operation.IsDone)) Changed(operation);
    }

    private void Tell(Worker worker, WorkerCommand command, Holding? offered = null)
    {
        // Without a session there is nobody to tell: on rejoining, what it runs is reconciled.
        if (worker.Session != NoSession) _transitions.Effects.Add(new Effect.WorkerTold(worker.Session, command, offered));
    }

    private readonly record struct MergeKey(InstanceName Instance, Digest Action);
}
