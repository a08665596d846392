using System.Diagnostics;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <content>The rules of time: what happens when nothing happens. All of it is counted by the monotonic clock.</content>
internal sealed partial class BuildQueue
{
    // A queue whose properties nobody offers is looked at this often at most, however many executions fall due.
    private static readonly TimeSpan UnsatisfiableLookMin = TimeSpan.FromMilliseconds(250);

    private readonly PriorityQueue<Due, TimeSpan> _due = new();

    /// <summary>A <see cref="Due.RetentionOver"/> is outstanding: one is enough.</summary>
    private bool _isRetentionWatched;

    /// <summary>Monotonic; a queue that was never started has no past to come back.</summary>
    private TimeSpan _startedAt = TimeSpan.MinValue;

    /// <summary>What nobody offers any more, and since when; as long as it matters.</summary>
    private readonly Dictionary<Core.Platform, TimeSpan> _lostOffers = [];

    /// <summary>Silence counts from here at the earliest: see <see cref="Tick"/>.</summary>
    private TimeSpan _deafUntil = TimeSpan.MinValue;

    /// <summary>When <see cref="Tick"/> wants to be called next, monotonic; null when nothing is pending.</summary>
    public TimeSpan? NextDue => _due.TryPeek(out _, out var at) ? at : null;

    public void Tick(Instant now)
    {
        // A late tick means that this process stood still (suspended, swapped), and then it was we who did not
        // listen: what workers sent is still in the sockets (TRUST 1.3 class 12).
        if (NextDue + options.HeartbeatInterval < now.Monotonic) _deafUntil = now.Monotonic;

        while (_due.TryPeek(out var due, out var at) && at <= now.Monotonic)
        {
            _due.Dequeue();
            // A mistake of ours about one of them must not stop the clock for all others.
            ServingLoop.Serve(() => Look(due, now), failure => Trace.TraceError(failure.ToString()));
        }
    }

    private void At(TimeSpan time, Due due) => _due.Enqueue(due, time);

    private void Look(Due due, Instant now)
    {
        switch (due)
        {
            case Due.WorkerSilent { Worker: var worker }:
                worker.IsListenedTo = false;
                if (worker.Session != NoSession) Listen(worker, now);
                break;

            case Due.WorkerNotBack { Worker: var worker }:
                worker.IsAwaited = false;
                if (worker.State == WorkerState.Joining) Await(worker, now);
                break;

            case Due.ProbeOpen { Worker: { State: WorkerState.Quarantined } worker } when worker.Breaker.Until <= now.Monotonic:
                using (worker.StandUp()) worker.OpenProbe();
                Feed(worker, now);
                break;

            case Due.RecordOver { WorkerId: var id, Breaker: var breaker } when _breakers.GetValueOrDefault(id) == breaker:
                _breakers.Remove(id);
                break;

            case Due.KillUnconfirmed { Worker: var worker, Lease: var lease }:
                using (worker.StandUp()) worker.KillIsOverdue(lease);
                break;

            case Due.RecallUnanswered { Execution: { IsRecalled: true, Holder: { } holder } execution, Recall: var recall } when execution.Recalls == recall:
                holder.Unanswered = execution.LeaseId;
                Stay(execution, now);
                break;

            case Due.WaitOver { Execution: { State: ExecutionState.Queued } execution } when execution.NotBefore <= now.Monotonic:
                using (_filing.TakeOut(execution)) execution.BeReady();
                Serve(execution.Queue, now);
                break;

            case Due.HoldOver { Execution: var id } when FindHeld(id) is { } execution && execution.WaitingSince + options.HoldMax <= now.Monotonic:
                Complete(execution, ExecutionEvent.Refuse, HeldTooLong, now);
                break;

            case Due.OperationAbandoned { Operation: { IsDone: false, Watchers: 0 } operation }
                when operation.UnwatchedSince + options.AbandonedGrace <= now.Monotonic:
                EndAlone(operation, $"was cancelled because its client{Client(operation)} left {options.AbandonedGrace.TotalSeconds:0} s ago", now);
                break;

            case Due.PlatformUnsatisfiable { Queue: var queue }:
                queue.IsWatched = false;
                RefuseUnsatisfiable(queue, now);
                break;

            case Due.RetentionOver:
                _isRetentionWatched = false;
                ForgetOld(now);
                WatchRetention();
                break;
        }
    }

    private void Hold(Execution execution, InputHold hold, Instant now)
    {
        At(now.Monotonic + options.HoldMax, new Due.HoldOver(execution.Id));
        hold.Begin(execution.Id);
    }

    private ExecutionOutcome HeldTooLong => new()
    {
        Code = OutcomeCode.Unavailable,
        Blame = Blame.Coordinator,
        Message = $"its lost inputs were not made again within {options.HoldMax.TotalMinutes:0} min; try again",
    };

    private void Listen(Worker worker, Instant now)
    {
        var heard = worker.LastHeard.Monotonic > _deafUntil ? worker.LastHeard.Monotonic : _deafUntil;
        if (heard + options.WorkerSilenceMax > now.Monotonic)
        {
            ListenTo(worker, heard + options.WorkerSilenceMax);
            return;
        }

        Tell(worker, new WorkerCommand.End($"not heard of for {options.WorkerSilenceMax.TotalSeconds:0} s"));
        worker.Session = NoSession;
        Lost(worker, $"its worker was silent for {options.WorkerSilenceMax.TotalSeconds:0} s", Blame.Worker, now);
    }

    private void Await(Worker worker, Instant now)
    {
        // It may have come and gone in between, and a report without a stream is a sign of life too.
        var until = worker.LastHeard.Monotonic + options.RejoinGrace;
        if (until > now.Monotonic)
        {
            worker.IsAwaited = true;
            At(until, new Due.WorkerNotBack(worker));
            return;
        }

        Lost(worker, $"its worker was cut off and did not come back within {options.RejoinGrace.TotalSeconds:0} s", Blame.Worker, now);
    }

    private void WatchRetention()
    {
        if (_isRetentionWatched || _finished.First?.Value.EndedSince is not { } oldest) return;

        _isRetentionWatched = true;
        At(oldest + options.FinishedRetention, new Due.RetentionOver());
    }

    private void ListenTo(Worker worker, TimeSpan until)
    {
        if (worker.IsListenedTo) return;

        worker.IsListenedTo = true;
        At(until, new Due.WorkerSilent(worker));
    }

    private void Abandoned(Operation operation, Instant now)
    {
        operation.UnwatchedSince = now.Monotonic;
        At(now.Monotonic + options.AbandonedGrace, new Due.OperationAbandoned(operation));
    }

    private static string Client(Operation operation)
    {
        var origin = operation.Request.Origin;
        return (origin.ToolName, origin.ToolInvocationId) switch
        {
            ("", "") => "",
            (var tool, "") => $" ({tool})",
            (var tool, var invocation) => $" ({tool} {invocation})".Replace("( ", "(", StringComparison.Ordinal),
        };
    }

    private void RefuseUnsatisfiable(PlatformQueue queue, Instant now)
    {
        // Workers leave with a coordinator that drains; whoever waits then waits for the next one.
        if (queue.UnsatisfiableSince is not { } since || !_isLeasing) return;

        // Who drains may be followed by its successor as soon as what it runs is over; the grace begins when it has gone.
        if (queue.Classes.Count > 0)
        {
            if (queue.Queued.Count > 0) WatchSatisfiable(queue, now.Monotonic + options.OfferGrace);
            return;
        }

        var next = TimeSpan.MaxValue;
        var graceEnd = GraceEnd(queue);
        foreach (var execution in queue.Queued.ToArray())
        {
            var start = execution.WaitingSince > since ? execution.WaitingSince : since;
            var refuseAt = start + options.UnsatisfiableMax;
            if (refuseAt < graceEnd) refuseAt = graceEnd;
            if (refuseAt > now.Monotonic)
            {
                next = refuseAt < next ? refuseAt : next;
                continue;
            }

            // All classes, not those that match: what is told is what there is.
            Complete(
                execution,
                ExecutionEvent.Refuse,
                UnsatisfiableStory.Tell(execution.Request, queue.Platform, _classes.Values, now.Monotonic - execution.WaitingSince),
                now);
        }

        if (queue.Queued.Count == 0) return;
        var look = now.Monotonic + UnsatisfiableLookMin;
        WatchSatisfiable(queue, next > look ? next : look);
    }

    /// <summary>Whoever offered it may be about to come back.</summary>
    private TimeSpan GraceEnd(PlatformQueue queue)
    {
        var from = _startedAt;
        foreach (var (offer, lostAt) in _lostOffers)
        {
            if (lostAt > from && PlatformMatching.Covers(offer, queue.Platform)) from = lostAt;
        }

        return from == TimeSpan.MinValue ? from : from + options.OfferGrace;
    }

    private void LoseOffer(Core.Platform offer, Instant now)
    {
        foreach (var (old, _) in _lostOffers.Where(lost => lost.Value + options.OfferGrace <= now.Monotonic).ToArray()) _lostOffers.Remove(old);
        _lostOffers[offer] = now.Monotonic;
    }

    private void UpdateSatisfiable(WorkerClass @class, Instant now)
    {
        foreach (var queue in @class.Queues) UpdateSatisfiable(queue, now);
    }

    private void UpdateSatisfiable(PlatformQueue queue, Instant now)
    {
        if (queue.Classes.Exists(@class => @class.Serves))
        {
            queue.UnsatisfiableSince = null;
            return;
        }

        queue.UnsatisfiableSince ??= now.Monotonic;
        if (queue.Queued.Count > 0) WatchSatisfiable(queue, now.Monotonic + options.UnsatisfiableMax);
    }

    private void WatchSatisfiable(PlatformQueue queue, TimeSpan lookAt)
    {
        if (queue.UnsatisfiableSince is null || queue.IsWatched) return;

        queue.IsWatched = true;
        At(lookAt, new Due.PlatformUnsatisfiable(queue));
    }
}
