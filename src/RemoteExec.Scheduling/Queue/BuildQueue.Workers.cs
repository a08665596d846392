using System.Diagnostics;

namespace RemoteExec.Scheduling;

/// <content>The events of workers.</content>
internal sealed partial class BuildQueue
{
    /// <summary>Nobody speaks for the worker.</summary>
    private const long NoSession = 0;

    private long _sessions;

    /// <summary>
    /// A worker says hello. The newest session of an id speaks for it: after a silent cut the old connection may look
    /// alive for seconds, and the worker must not wait that long. Leases that it names and that are still its own go
    /// on; the others it is told to cancel; those that it holds by our books but does not name are lost.
    /// </summary>
    /// <returns>The session, which its reports must carry.</returns>
    public long Join(WorkerDescription description, DateTimeOffset now)
    {
        if (!_workers.TryGetValue(description.Id, out var worker))
        {
            worker = new Worker(description, @class: null, _sequence++, now);
            _workers.Add(worker.Id, worker);
        }

        Unseat(worker);
        Tell(worker, new WorkerCommand.End("a newer session of the same worker took over"));
        long session = worker.Session = ++_sessions;
        worker.Description = description;
        worker.JoinedAt = now;
        worker.Move(WorkerEvent.Join);
        Heard(worker, now);
        ListenTo(worker, now + options.WorkerSilenceMax);
        ChangeClass(worker, ClassFor(PlatformMatching.Offered(description), now), now);

        Reconcile(worker, description, now);
        if (description.IsDraining) BeginLeaving(worker, now);
        Seat(worker);
        Feed(worker, now);
        EndIfDrained(worker, now);
        return session;
    }

    /// <summary>The command is about to run.</summary>
    public void Started(string workerId, long session, LeaseId lease, DateTimeOffset now)
    {
        if (Speaker(workerId, session, now) is not { } worker) return;
        if (Current(worker, lease) is not { } execution)
        {
            Tell(worker, new WorkerCommand.CancelLease(lease, "it was taken back"));
            return;
        }

        Start(execution, now);
    }

    /// <summary>
    /// The attempt is over. Its slot is free in any case; only the current attempt changes anything else (DESIGN D6). Fenced by the
    /// lease and its holder, not by a session: a report may come before its worker is back on a stream, and from an older one.
    /// </summary>
    public ReportVerdict Report(string workerId, LeaseId lease, ExecutionOutcome outcome, DateTimeOffset now)
    {
        if (!_workers.TryGetValue(workerId, out var worker)) return ReportVerdict.Stale;

        Heard(worker, now);
        var execution = Current(worker, lease);
        var rule = BlameRules.Find(outcome.Blame, worker.State == WorkerState.Draining ? AttemptEnd.ReportedLeaving : AttemptEnd.Reported)!.Value;
        Unseat(worker);
        Release(worker, lease, now);

        if (execution is not null && rule.Retrier != Retrier.Scheduler)
        {
            if (rule.Record == WorkerRecord.Cleared && worker.Can(WorkerEvent.Succeed)) worker.Succeeded();
            Complete(execution, ExecutionEvent.Finish, outcome, now);
        }
        else if (execution is not null)
        {
            if (rule.Record == WorkerRecord.Marked) Mark(worker, execution, now);
            Lose(execution, outcome.Message, rule.CostsAttempt, now);
            // Before this worker is seated again, so that another one is preferred for the next attempt.
            Serve(execution.Queue, now);
        }

        Seat(worker);
        Feed(worker, now);
        EndIfDrained(worker, now);
        return execution is null ? ReportVerdict.Stale : ReportVerdict.Accepted;
    }

    /// <summary>A lease comes back unfinished, in good order: it is queued again at its old place, and nobody is to blame.</summary>
    public void HandBack(string workerId, long session, LeaseId lease, DateTimeOffset now)
    {
        if (Speaker(workerId, session, now) is not { } worker) return;

        var execution = Current(worker, lease);
        Unseat(worker);
        Release(worker, lease, now);
        if (execution is not null)
        {
            Lose(execution, "its worker handed it back", counts: false, now);
            Serve(execution.Queue, now);
        }

        Seat(worker);
        Feed(worker, now);
        EndIfDrained(worker, now);
    }

    /// <summary>What was cancelled is dead, so its slot is free. The attempt that is current is nobody's to stop: it needs a report.</summary>
    public void Stopped(string workerId, long session, LeaseId lease, DateTimeOffset now)
    {
        if (Speaker(workerId, session, now) is not { } worker || Current(worker, lease) is not null) return;

        Unseat(worker);
        Release(worker, lease, now);
        Seat(worker);
        Feed(worker, now);
        EndIfDrained(worker, now);
    }

    /// <summary>What runs under this lease and where; null when it is stale.</summary>
    public HeldLease? FindLease(LeaseId lease) =>
        _executions.TryGetValue(lease.Execution, out var execution) && execution.IsHeldUnder(lease)
            ? new HeldLease(execution.Request, execution.Holder.Id, execution.QueuedAt, execution.LeasedAt!.Value) // leased, so it was leased some time
            : null;

    /// <summary>Nothing is leased or runs, and whoever waits for an end knows of it.</summary>
    public bool IsIdle => _leased == 0 && _running == 0 && _unpublished == 0;

    /// <summary>A sign of life and what it says to be running; null when it does not say.</summary>
    public void Heartbeat(string workerId, long session, IReadOnlyList<LeaseId>? running, DateTimeOffset now)
    {
        if (Speaker(workerId, session, now) is not { } worker || running is null) return;

        foreach (var stray in running.Where(lease => !worker.Held.ContainsKey(lease)))
            Tell(worker, new WorkerCommand.CancelLease(stray, "it was taken back"));

        Unseat(worker);
        foreach (var (lease, missingSince) in worker.Held.ToArray())
        {
            if (running.Contains(lease))
            {
                worker.Held[lease] = null;
            }
            else if (Current(worker, lease) is not { } execution)
            {
                // Cancelled, and by now dead.
                Release(worker, lease, now);
            }
            else if (missingSince is null)
            {
                // The offer or the report may be on its way: it takes more than one heartbeat.
                worker.Held[lease] = now;
            }
            else if (missingSince + options.WorkerSilenceMax <= now)
            {
                Release(worker, lease, now);
                Lose(execution, "the worker no longer knows of it", counts: true, now);
                Serve(execution.Queue, now);
            }
        }

        Seat(worker);
        Feed(worker, now);
        EndIfDrained(worker, now);
    }

    /// <summary>No new leases from here on; the session is ended when the last one has reported.</summary>
    public void Drain(string workerId, long session, DateTimeOffset now)
    {
        if (Speaker(workerId, session, now) is not { } worker || !worker.Can(WorkerEvent.Drain)) return;

        Unseat(worker);
        BeginLeaving(worker, now);
        EndIfDrained(worker, now);
    }

    private void BeginLeaving(Worker worker, DateTimeOffset now)
    {
        worker.Move(WorkerEvent.Drain);
        UpdateSatisfiable(worker.Class!, now);
    }

    /// <summary>
    /// The stream ended. A worker that holds leases and can come back is waited for, because killing what it runs
    /// would be the dearer mistake.
    /// </summary>
    public void Disconnected(string workerId, long session, DateTimeOffset now)
    {
        if (Speaker(workerId, session, now) is not { } worker) return;

        worker.Session = NoSession;
        if (!worker.Held.Keys.Any(lease => Current(worker, lease) is not null)
            || worker.State == WorkerState.Quarantined
            || options.WorkersThatCannotReturn.Contains(workerId))
        {
            Lost(worker, "its worker left", now);
            return;
        }

        Unseat(worker);
        worker.Move(WorkerEvent.Disconnect);
        ExpectBack(worker, now);
    }

    private void ExpectBack(Worker worker, DateTimeOffset now)
    {
        worker.LastHeardAt = now;
        At(now + options.RejoinGrace, new Due.WorkerNotBack(worker));
    }

    private void Lost(Worker worker, string reason, DateTimeOffset now)
    {
        Unseat(worker);
        worker.Move(WorkerEvent.Lose);
        _workers.Remove(worker.Id);
        var lost = worker.Held.Keys
            .Select(lease => Current(worker, lease)).OfType<Execution>().OrderBy(execution => execution.Sequence).ToArray();
        worker.Held.Clear();
        ChangeClass(worker, null, now);

        foreach (var execution in lost) Lose(execution, reason, counts: true, now);
        foreach (var execution in lost) Serve(execution.Queue, now);
    }

    /// <summary>After a hello: which of the leases in our books and in the worker's hands are both?</summary>
    private void Reconcile(Worker worker, WorkerDescription description, DateTimeOffset now)
    {
        var running = description.Running;
        foreach (var lease in description.Unreported)
        {
            // Stale ones are told so when their report comes.
            if (Current(worker, lease) is { } execution) Start(execution, now);
        }

        foreach (var lease in running)
        {
            if (Current(worker, lease) is { } execution)
                Start(execution, now);
            else
                Tell(worker, new WorkerCommand.CancelLease(lease, "it was taken back"));
        }

        foreach (var lease in worker.Held.Keys.Except(running).Except(description.Unreported).ToArray())
        {
            var execution = Current(worker, lease);
            Release(worker, lease, now);
            if (execution is null) continue;

            Lose(execution, "its worker came back without it", counts: true, now);
            Serve(execution.Queue, now);
        }

        // What it must stop still takes a slot until a heartbeat no longer names it.
        foreach (var lease in running) worker.Held.TryAdd(lease, null);
    }

    private void Start(Execution execution, DateTimeOffset now)
    {
        if (execution.State == ExecutionState.Running) return;

        Leave(execution);
        execution.Start(now);
        Enter(execution, now);
        Changed(execution);
    }

    /// <summary>Only the newest session speaks; whoever speaks is alive.</summary>
    private Worker? Speaker(string workerId, long session, DateTimeOffset now)
    {
        if (!_workers.TryGetValue(workerId, out var worker) || session == NoSession || worker.Session != session) return null;

        Heard(worker, now);
        return worker;
    }

    private static void Heard(Worker worker, DateTimeOffset now) => worker.LastHeardAt = now;

    /// <summary>The execution whose current lease this is and who holds it; null when that is stale.</summary>
    private Execution? Current(Worker worker, LeaseId lease) =>
        _executions.TryGetValue(lease.Execution, out var execution) && execution.IsHeldUnder(lease) && execution.Holder == worker
            ? execution
            : null;

    private static void Release(Worker worker, LeaseId lease, DateTimeOffset now)
    {
        if (worker.Held.Remove(lease) && worker.Held.Count == 0) worker.IdleSince = now;
    }

    private void Mark(Worker worker, Execution execution, DateTimeOffset now)
    {
        if (!worker.FailedOn(execution.Id, options.QuarantineAfter)) return;

        worker.Quarantine(options, now);
        At(worker.QuarantinedUntil, new Due.ProbeOpen(worker));
    }

    private void EndIfDrained(Worker worker, DateTimeOffset now)
    {
        if (worker.State != WorkerState.Draining || worker.Held.Count > 0) return;

        Tell(worker, new WorkerCommand.End("drained"));
        worker.Session = NoSession;
        Lost(worker, "its worker left", now);
    }

    /// <summary>A sorted set must not hold what changes its key: out before a change to a worker, in after it.</summary>
    private static void Unseat(Worker worker) => worker.Class?.Free.Remove(worker);

    private static void Seat(Worker worker)
    {
        if (worker.HasRoom) worker.Class?.Free.Add(worker);
    }

    private WorkerClass ClassFor(Core.Platform offer, DateTimeOffset now)
    {
        if (_classes.TryGetValue(offer, out var @class)) return @class;

        @class = new WorkerClass(offer);
        _classes.Add(offer, @class);
        foreach (var queue in _queues.Values.Where(queue => PlatformMatching.Covers(offer, queue.Platform)))
        {
            @class.Queues.Add(queue);
            queue.Classes.Add(@class);
        }

        return @class;
    }

    private void ChangeClass(Worker worker, WorkerClass? to, DateTimeOffset now)
    {
        var from = worker.Class;
        if (from != to)
        {
            from?.Members.Remove(worker);
            to?.Members.Add(worker);
            worker.Class = to;
        }

        if (to is not null) UpdateSatisfiable(to, now);
        if (from is null || from == to) return;

        if (from.Members.Count == 0)
        {
            Debug.Assert(from.Free.Count == 0, "a free worker is a member");
            _classes.Remove(from.Offer);
            foreach (var queue in from.Queues) queue.Classes.Remove(from);
        }

        UpdateSatisfiable(from, now);
    }
}
