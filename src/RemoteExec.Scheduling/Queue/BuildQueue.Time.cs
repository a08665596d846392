namespace RemoteExec.Scheduling;

/// <content>The rules of time: what happens when nothing happens.</content>
internal sealed partial class BuildQueue
{
    // A queue whose properties nobody offers is looked at this often at most, however many executions fall due.
    private static readonly TimeSpan UnsatisfiableLookMin = TimeSpan.FromSeconds(1);

    private readonly PriorityQueue<Due, DateTimeOffset> _due = new();

    /// <summary>A <see cref="Due.RetentionOver"/> is outstanding: one is enough.</summary>
    private bool _isRetentionWatched;

    /// <summary>Silence counts from here at the earliest: see <see cref="Tick"/>.</summary>
    private DateTimeOffset _deafUntil = DateTimeOffset.MinValue;

    /// <summary>When <see cref="Tick"/> wants to be called next; null when nothing is pending.</summary>
    public DateTimeOffset? NextDue => _due.TryPeek(out _, out var at) ? at : null;

    public void Tick(DateTimeOffset now)
    {
        // A late tick means that this process stood still (suspended, swapped), and then it was we who did not
        // listen: what workers sent is still in the sockets (TRUST 1.3 class 12).
        if (NextDue + options.HeartbeatInterval < now) _deafUntil = now;

        while (_due.TryPeek(out var due, out var at) && at <= now)
        {
            _due.Dequeue();
            Look(due, now);
        }
    }

    private void At(DateTimeOffset time, Due due) => _due.Enqueue(due, time);

    private void Look(Due due, DateTimeOffset now)
    {
        switch (due)
        {
            case Due.WorkerSilent { Worker: var worker }:
                worker.IsListenedTo = false;
                if (worker.Session != NoSession) Listen(worker, now);
                break;

            // Joining again: it may have come and gone in between, and then another entry is due later.
            case Due.WorkerNotBack { Worker: { State: WorkerState.Joining } worker }:
                // A report without a stream is a sign of life too.
                if (worker.LastHeardAt + options.RejoinGrace > now)
                {
                    At(worker.LastHeardAt + options.RejoinGrace, due);
                    break;
                }

                Lost(worker, $"its worker was cut off and did not come back within {options.RejoinGrace.TotalSeconds:0} s", now);
                break;

            case Due.ProbeOpen { Worker: { State: WorkerState.Quarantined } worker } when worker.QuarantinedUntil <= now:
                Unseat(worker);
                worker.IsProbing = true;
                Seat(worker);
                Feed(worker, now);
                break;

            case Due.OperationAbandoned { Operation: { IsDone: false, Watchers: 0 } operation }
                when operation.UnwatchedSince + options.AbandonedGrace <= now:
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

    private void Listen(Worker worker, DateTimeOffset now)
    {
        var heard = worker.LastHeardAt > _deafUntil ? worker.LastHeardAt : _deafUntil;
        if (heard + options.WorkerSilenceMax > now)
        {
            ListenTo(worker, heard + options.WorkerSilenceMax);
            return;
        }

        Tell(worker, new WorkerCommand.End($"not heard of for {options.WorkerSilenceMax.TotalSeconds:0} s"));
        worker.Session = NoSession;
        Lost(worker, $"its worker was silent for {options.WorkerSilenceMax.TotalSeconds:0} s", now);
    }

    private void WatchRetention()
    {
        if (_isRetentionWatched || _finished.First?.Value.EndedAt is not { } oldest) return;

        _isRetentionWatched = true;
        At(oldest + options.FinishedRetention, new Due.RetentionOver());
    }

    private void ListenTo(Worker worker, DateTimeOffset until)
    {
        if (worker.IsListenedTo) return;

        worker.IsListenedTo = true;
        At(until, new Due.WorkerSilent(worker));
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

    private void RefuseUnsatisfiable(PlatformQueue queue, DateTimeOffset now)
    {
        // Workers leave with a coordinator that drains; whoever waits then waits for the next one.
        if (queue.UnsatisfiableSince is not { } since || !_isLeasing) return;

        var next = DateTimeOffset.MaxValue;
        foreach (var execution in queue.Waiting.ToArray())
        {
            var start = execution.WaitingSince > since ? execution.WaitingSince : since;
            if (start + options.UnsatisfiableMax is var refuseAt && refuseAt > now)
            {
                next = refuseAt < next ? refuseAt : next;
                continue;
            }

            // All classes, not those that match: what is told is what there is.
            Complete(
                execution,
                ExecutionEvent.Refuse,
                UnsatisfiableStory.Tell(execution.Request, queue.Platform, _classes.Values, options.UnsatisfiableMax),
                now);
        }

        if (queue.Waiting.Count == 0) return;
        var look = now + UnsatisfiableLookMin;
        WatchSatisfiable(queue, next > look ? next : look);
    }

    private void UpdateSatisfiable(WorkerClass @class, DateTimeOffset now)
    {
        foreach (var queue in @class.Queues) UpdateSatisfiable(queue, now);
    }

    private void UpdateSatisfiable(PlatformQueue queue, DateTimeOffset now)
    {
        if (queue.Classes.Exists(@class => @class.Serves))
        {
            queue.UnsatisfiableSince = null;
            return;
        }

        queue.UnsatisfiableSince ??= now;
        if (queue.Waiting.Count > 0) WatchSatisfiable(queue, now + options.UnsatisfiableMax);
    }

    private void WatchSatisfiable(PlatformQueue queue, DateTimeOffset lookAt)
    {
        if (queue.UnsatisfiableSince is null || queue.IsWatched) return;

        queue.IsWatched = true;
        At(lookAt, new Due.PlatformUnsatisfiable(queue));
    }
}
