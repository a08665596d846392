using System.Diagnostics;

namespace RemoteExec.Scheduling;

/// <content>Workers come and go.</content>
internal sealed partial class BuildQueue
{
    /// <summary>Nobody speaks for the worker.</summary>
    private const long NoSession = 0;

    private const string TakenBack = "it was taken back";

    /// <summary>The records of workers that are gone and were in quarantine; each leaves with its <see cref="Due.RecordOver"/>.</summary>
    private readonly Dictionary<string, Breaker> _breakers = [];

    private long _sessions;

    /// <summary>
    /// A worker says hello. The newest session of an id speaks for it: after a silent cut the old connection may look
    /// alive for seconds, and the worker must not wait that long. Leases that it names and that are still its own go
    /// on; the others it is told to cancel; those that it holds by our books but does not name are lost.
    /// </summary>
    /// <exception cref="SchedulingException">ALREADY_EXISTS for a stranger under the name of a worker that is here, or is expected back.</exception>
    /// <returns>The session, which all it says must carry.</returns>
    public long Join(WorkerDescription description, Instant now)
    {
        if (!_workers.TryGetValue(description.Id, out var worker)) worker = Add(description, now);
        else RefuseStranger(worker, description);

        long session = ++_sessions;
        using (worker.StandUp())
        {
            Tell(worker, new WorkerCommand.End("a newer session of the same worker took over"));
            worker.Join(description, session, now);
            ListenTo(worker, now.Monotonic + options.WorkerSilenceMax);
            ChangeClass(worker, ClassFor(PlatformMatching.Offered(description)), now);
            Reconcile(worker, description, now);
            if (worker.State == WorkerState.Quarantined) WatchProbe(worker, now);
        }

        GoOn(worker, now);
        Answers(worker, now);
        return session;
    }

    /// <summary>No new leases from here on; the session is ended when the last one has reported.</summary>
    public void Drain(string workerId, long session, Instant now)
    {
        if (Speaker(workerId, session, now) is not { } worker || !worker.Can(WorkerEvent.Drain)) return;

        using (worker.StandUp()) worker.Move(WorkerEvent.Drain);
        UpdateSatisfiable(worker.Class!, now); // it has said hello
        EndIfDrained(worker, now);
    }

    /// <summary>
    /// The stream ended. A worker that holds leases and can come back is waited for, because killing what it runs
    /// would be the dearer mistake.
    /// </summary>
    public void Disconnected(string workerId, long session, Instant now)
    {
        if (Speaker(workerId, session, now) is not { } worker) return;

        worker.Session = NoSession;
        if (!worker.Held.Keys.Any(lease => Current(worker, lease) is not null) || options.WorkersThatCannotReturn.Contains(workerId))
        {
            Lost(worker, "its worker left", Blame.Worker, now);
            return;
        }

        using (worker.StandUp()) worker.Move(WorkerEvent.Disconnect);
        // Whom it could be called back from does not hear it.
        foreach (var execution in worker.Ahead.ToArray()) Stay(execution, now);
        ExpectBack(worker, now);
    }

    /// <summary>What the first of them runs would be lost by the hello of the second, and run twice. Until it is gone it keeps its name.</summary>
    private static void RefuseStranger(Worker worker, WorkerDescription description)
    {
        // Of one that is known from the journal only nobody knows where it lived.
        if (worker.Class is null || worker.Description.Home == description.Home) return;

        throw new SchedulingException(
            OutcomeCode.AlreadyExists,
            $"a worker {description.Id} is {(worker.Session == NoSession ? "expected back" : "connected")} already, from another machine or data directory; "
            + "give each its own name (--worker-id NAME, or leave it out)");
    }

    private Worker Add(WorkerDescription description, Instant now)
    {
        var breaker = _breakers.Remove(description.Id, out var remembered) ? remembered : new Breaker(options);
        var worker = new Worker(description, breaker, _sequence++, now, options.WorkerMoved);
        _workers.Add(worker.Id, worker);
        return worker;
    }

    private void ExpectBack(Worker worker, Instant now)
    {
        worker.LastHeard = now;
        if (worker.IsAwaited) return;

        worker.IsAwaited = true;
        At(now.Monotonic + options.RejoinGrace, new Due.WorkerNotBack(worker));
    }

    private void Lost(Worker worker, string reason, Blame blame, Instant now)
    {
        // In the order in which they came, so that they go out again in it.
        var lost = worker.Held.Keys
            .Select(lease => Current(worker, lease)).OfType<Execution>().OrderBy(execution => execution.Sequence).ToArray();
        using (worker.StandUp())
        {
            worker.Move(WorkerEvent.Lose);
            worker.ReleaseAll();
            ChangeClass(worker, null, now);
        }

        _workers.Remove(worker.Id);
        if (worker.Breaker.IsTripped) Remember(worker, now);
        foreach (var execution in lost) Lose(execution, reason, blame, AttemptEnd.Lost, now);
        foreach (var execution in lost) Serve(execution.Queue, now);
    }

    // A reconnect must not wash a worker clean. For as long again as the longest quarantine; who is away longer was mended, or is gone.
    private void Remember(Worker worker, Instant now)
    {
        _breakers[worker.Id] = worker.Breaker;
        var from = worker.Breaker.Until > now.Monotonic ? worker.Breaker.Until : now.Monotonic;
        At(from + options.QuarantineMax, new Due.RecordOver(worker.Id, worker.Breaker));
    }

    /// <summary>After a hello: which of the leases in our books and in the worker's hands are both?</summary>
    private void Reconcile(Worker worker, WorkerDescription description, Instant now)
    {
        var named = description.Running.Concat(description.Unreported).ToHashSet();
        var waiting = description.Waiting.ToHashSet();
        foreach (var lease in named)
        {
            if (Current(worker, lease) is not { } execution) continue;
            worker.Confirm(lease);
            if (!waiting.Contains(lease)) Start(execution, waited: TimeSpan.Zero, now);
        }

        foreach (var lease in description.Running.Where(lease => Current(worker, lease) is null))
        {
            // What it must stop still takes a slot until it is dead.
            worker.Confirm(lease);
            Kill(worker, lease, TakenBack, now);
        }

        foreach (var (lease, holding) in worker.Held.Where(held => !named.Contains(held.Key)).ToArray())
        {
            var execution = Current(worker, lease);
            worker.Release(lease, now);
            if (execution is null) continue;

            if (holding.IsOffered)
                Lose(execution, "its worker came back without it", Blame.Worker, AttemptEnd.Lost, now);
            else
                Lose(execution, "its worker was cut off before it was told", Blame.None, AttemptEnd.HandedBackLeaving, now);
            Serve(execution.Queue, now);
        }

        // A kill that it does not name any more is done.
        foreach (var lease in worker.Kills.Where(lease => !named.Contains(lease)).ToArray()) worker.Release(lease, now);
        // What of it waits for a slot is in line again.
        WaitAgain(worker, now);
    }

    private void Kill(Worker worker, LeaseId lease, string reason, Instant now)
    {
        Tell(worker, new WorkerCommand.CancelLease(lease, reason));
        if (worker.Session != NoSession && worker.BeginKill(lease))
            At(now.Monotonic + options.KillConfirmMax, new Due.KillUnconfirmed(worker, lease));
    }

    /// <summary>Only the newest session speaks; whoever speaks is alive.</summary>
    private Worker? Speaker(string workerId, long session, Instant now)
    {
        if (!_workers.TryGetValue(workerId, out var worker) || session == NoSession || worker.Session != session) return null;

        worker.LastHeard = now;
        return worker;
    }

    /// <summary>The execution whose current lease this is and who holds it; null when that is stale.</summary>
    private Execution? Current(Worker worker, LeaseId lease) =>
        _executions.TryGetValue(lease.Execution, out var execution) && execution.IsHeldUnder(lease) && execution.Holder == worker
            ? execution
            : null;

    private void EndIfDrained(Worker worker, Instant now)
    {
        if (worker.State != WorkerState.Draining || worker.Held.Count > 0) return;

        Tell(worker, new WorkerCommand.End("drained"));
        worker.Session = NoSession;
        // It leaves in good order: what comes back under its name is a new process, and a new page.
        worker.Breaker.Clear();
        Lost(worker, "its worker left", Blame.Worker, now);
    }

    private WorkerClass ClassFor(Core.Platform offer)
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

    private void ChangeClass(Worker worker, WorkerClass? to, Instant now)
    {
        var from = worker.Class;
        if (from != to) worker.ChangeClass(to);

        if (to is not null) UpdateSatisfiable(to, now);
        if (from is null || from == to) return;

        if (from.Members.Count == 0)
        {
            Debug.Assert(from.Free.Count == 0, "a free worker is a member");
            _classes.Remove(from.Offer);
            LoseOffer(from.Offer, now);
            foreach (var queue in from.Queues) queue.Classes.Remove(from);
        }

        UpdateSatisfiable(from, now);
    }
}
