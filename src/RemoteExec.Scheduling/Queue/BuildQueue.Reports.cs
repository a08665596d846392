namespace RemoteExec.Scheduling;

/// <content>What workers say about their leases.</content>
internal sealed partial class BuildQueue
{
    /// <summary>The command is about to run.</summary>
    /// <param name="waited">For a slot, as its worker measured it.</param>
    public void Started(string workerId, long session, LeaseId lease, TimeSpan waited, Instant now)
    {
        if (Speaker(workerId, session, now) is not { } worker) return;

        if (Current(worker, lease) is { } execution) Start(execution, waited, now);
        else Kill(worker, lease, TakenBack, now);
    }

    /// <summary>
    /// The attempt is over. Its slot is free in any case; only the current attempt changes anything else (DESIGN D6). Fenced by the
    /// lease and its holder, not by a session: a report may come before its worker is back on a stream, and from an older one.
    /// </summary>
    public ReportVerdict Report(string workerId, LeaseId lease, ExecutionOutcome outcome, Instant now)
    {
        if (!_workers.TryGetValue(workerId, out var worker)) return ReportVerdict.Stale;

        worker.LastHeard = now;
        var execution = Current(worker, lease);
        using (worker.StandUp())
        {
            worker.Release(lease, now);
            if (execution is not null) Settle(worker, execution, outcome, now);
        }

        GoOn(worker, now);
        return execution is null ? ReportVerdict.Stale : ReportVerdict.Accepted;
    }

    /// <summary>A lease comes back unfinished, in good order: it is queued again at its old place, and nobody is to blame.</summary>
    public void HandBack(string workerId, long session, LeaseId lease, Instant now)
    {
        if (Speaker(workerId, session, now) is not { } worker) return;

        var execution = Current(worker, lease);
        // The answer may be late, behind a slow disk of ours for one.
        bool wasRecalled = execution?.RecalledUnder == lease;
        // So that it may forget it. One that leaves keeps it until the goodbye.
        if (worker.State != WorkerState.Draining) Tell(worker, new WorkerCommand.CancelLease(lease, TakenBack));
        using (worker.StandUp())
        {
            worker.Release(lease, now);
            if (execution is not null)
            {
                // What was called back need not wait: that its worker did not want it is not the reason.
                var end = worker.State == WorkerState.Draining || wasRecalled ? AttemptEnd.HandedBackLeaving : AttemptEnd.HandedBack;
                Lose(execution, wasRecalled ? "it was called back before it began" : "its worker handed it back", Blame.None, end, now);
                Serve(execution.Queue, now);
            }
        }

        GoOn(worker, now);
        if (wasRecalled) Answers(worker, now);
    }

    /// <summary>What was cancelled is dead, so its slot is free. The attempt that is current is nobody's to stop: it needs a report.</summary>
    public void Stopped(string workerId, long session, LeaseId lease, Instant now)
    {
        if (Speaker(workerId, session, now) is not { } worker || Current(worker, lease) is not null) return;

        using (worker.StandUp()) worker.Release(lease, now);
        GoOn(worker, now);
    }

    /// <summary>A sign of life and what it says to hold; null when it does not say.</summary>
    public void Heartbeat(string workerId, long session, IReadOnlyList<LeaseId>? held, Instant now)
    {
        if (Speaker(workerId, session, now) is not { } worker || held is null) return;

        var named = held.ToHashSet();
        foreach (var stray in named.Where(lease => !worker.Held.ContainsKey(lease))) Kill(worker, stray, TakenBack, now);

        using (worker.StandUp())
        {
            foreach (var (lease, holding) in worker.Held.ToArray())
            {
                if (named.Contains(lease)) holding.MissingSince = null;
                else if (holding.IsOffered) Miss(worker, lease, holding, now);
            }

            foreach (var lease in worker.Kills.Where(lease => !named.Contains(lease) && !worker.Held.ContainsKey(lease)).ToArray())
                worker.Release(lease, now);
        }

        GoOn(worker, now);
    }

    /// <summary>What runs under this lease and where; null when it is stale.</summary>
    public HeldLease? FindLease(LeaseId lease) =>
        _executions.TryGetValue(lease.Execution, out var execution) && execution.IsHeldUnder(lease)
            ? new HeldLease(execution.Request, execution.Holder.Id, execution.Queued.Wall, execution.Leased!.Value.Wall) // leased, so at some time
            {
                WaitedThere = execution.WaitedThere,
                Tries = execution.Tries,
                IsRerun = execution.Operations.TrueForAll(operation => operation.IsDone || operation.Request.IsRerun),
                Ignored = _matching.Ignored(execution.Request.Platform),
            }
            : null;

    /// <summary>What comes after a change to what a worker holds: more work, or its leave. While it was up others were asked first.</summary>
    private void GoOn(Worker worker, Instant now)
    {
        BeginAhead(worker, now);
        Feed(worker, now);
        // However it went from there: when its client gave it up, its worker answers for a lease that is nobody's any more.
        if (worker.Unanswered is { } unanswered && !worker.Held.ContainsKey(unanswered)) Answers(worker, now);
        EndIfDrained(worker, now);
    }

    /// <summary>By the table of blame.</summary>
    private void Settle(Worker worker, Execution execution, ExecutionOutcome outcome, Instant now)
    {
        var end = outcome.Hold is not null ? AttemptEnd.ReportedToHold
            : worker.State == WorkerState.Draining ? AttemptEnd.ReportedLeaving
            : AttemptEnd.Reported;
        var rule = BlameRules.Of(outcome.Blame, end);
        if (rule.Record == WorkerRecord.Cleared) Clear(worker);
        // Who says what is not so gets nothing more as long as somebody else can have it: it would be the first to be free for it again.
        if (rule.Record == WorkerRecord.Marked) Mark(worker, execution.LeaseId, outcome.IsFalse && HasOther(execution.Queue, worker), now);

        if (rule.Retrier == Retrier.Scheduler)
        {
            Lose(execution, outcome.Message, outcome.Blame, end, now, outcome.Hold);
            Serve(execution.Queue, now);
        }
        else
        {
            Complete(execution, ExecutionEvent.Finish, outcome, now);
        }
    }

    private void Miss(Worker worker, LeaseId lease, Holding holding, Instant now)
    {
        if (Current(worker, lease) is not { } execution)
        {
            // Cancelled, and by now dead.
            worker.Release(lease, now);
        }
        else if (holding.MissingSince is not { } since)
        {
            // The offer or the report may be on its way: it takes more than one heartbeat.
            holding.MissingSince = now.Monotonic;
        }
        else if (since + options.WorkerSilenceMax <= now.Monotonic)
        {
            worker.Release(lease, now);
            Lose(execution, "the worker no longer knows of it", Blame.Worker, AttemptEnd.Lost, now);
            Serve(execution.Queue, now);
        }
    }

    private static void Clear(Worker worker)
    {
        worker.Breaker.Clear();
        if (worker.Can(WorkerEvent.Succeed)) worker.Move(WorkerEvent.Succeed);
    }

    private static bool HasOther(PlatformQueue queue, Worker worker) =>
        queue.Classes.Exists(@class => @class.Members.Exists(other => other != worker && other.State == WorkerState.Ready));

    private void Mark(Worker worker, LeaseId lease, bool atOnce, Instant now)
    {
        if (!worker.Breaker.Mark(lease, atOnce, now) || !worker.Can(WorkerEvent.Trip)) return;

        worker.Move(WorkerEvent.Trip);
        WatchProbe(worker, now);
    }

    private void WatchProbe(Worker worker, Instant now) =>
        At(worker.Breaker.Until > now.Monotonic ? worker.Breaker.Until : now.Monotonic, new Due.ProbeOpen(worker));
}
