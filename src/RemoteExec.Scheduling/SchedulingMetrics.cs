using System.Diagnostics.Metrics;

namespace RemoteExec.Scheduling;

/// <summary>Every number that this room tells (UX 5.6), under its final Prometheus name.</summary>
internal sealed class SchedulingMetrics : IDisposable
{
    // A scrape reads several gauges: they share one look at the queue.
    private static readonly TimeSpan SnapshotAgeMax = TimeSpan.FromMilliseconds(100);

    /// <summary>Executions that did not ask for a pool.</summary>
    private const string AnyPool = "any";

    private const string UnknownPool = "unknown";

    private readonly Meter _meter = new("RemoteExec.Scheduling");
    private readonly Scheduler _scheduler;
    private readonly TimeProvider _time;
    private readonly Counter<long> _operations;
    private readonly Counter<long> _retries;
    private readonly Counter<long> _merged;
    private readonly Counter<long> _unsatisfiable;
    private readonly Counter<long> _staleReports;
    private readonly Counter<long> _hookFailures;
    private readonly Counter<long> _connections;
    private readonly Counter<long> _disconnections;
    private readonly Histogram<double> _stages;
    private readonly Histogram<double> _wait;
    private QueueSnapshot? _snapshot;

    public SchedulingMetrics(Scheduler scheduler, TimeProvider time)
    {
        _scheduler = scheduler;
        _time = time;
        _operations = _meter.CreateCounter<long>("remoteexec_operations_total", null, "Executions that ended, by result.");
        _retries = _meter.CreateCounter<long>("remoteexec_operation_retries_total", null, "Attempts that came to nothing and were queued again.");
        _merged = _meter.CreateCounter<long>("remoteexec_operation_in_flight_merged_total", null, "Requests that joined an execution in flight.");
        _unsatisfiable = _meter.CreateCounter<long>("remoteexec_queue_unsatisfiable_total", null, "Executions refused because no worker offers what they ask.");
        _staleReports = _meter.CreateCounter<long>("remoteexec_worker_stale_reports_total", null, "Reports about attempts that had been taken back.");
        _hookFailures = _meter.CreateCounter<long>("remoteexec_completion_failures_total", null, "Results that could not be handed to the action cache.");
        _connections = _meter.CreateCounter<long>("remoteexec_worker_connections_total", null, "Times that a worker said hello.");
        _disconnections = _meter.CreateCounter<long>("remoteexec_worker_disconnections_total", null, "Connections of workers that ended, for whatever reason.");
        // Seconds: a no-op takes milliseconds, a link step minutes.
        var seconds = new InstrumentAdvice<double>
        {
            HistogramBucketBoundaries = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800],
        };
        _stages = _meter.CreateHistogram("remoteexec_operation_stage_seconds", null, "Time in each stage of an execution.", tags: null, seconds);
        _wait = _meter.CreateHistogram("remoteexec_queue_wait_seconds", null, "Time from the request to the last lease.", tags: null, seconds);

        _meter.CreateObservableGauge("remoteexec_queue_operations", Executions, null, "Executions by state.");
        _meter.CreateObservableGauge("remoteexec_queue_oldest_operation_age_seconds", OldestAge, null, "Age of the execution that waits longest.");
        _meter.CreateObservableGauge("remoteexec_queue_demand_slots", Demand, null, "Slots that all that waits and runs would take at once.");
        _meter.CreateObservableGauge("remoteexec_pool_slots", () => Slots(worker => worker.Description.Slots), null, "Slots of connected workers.");
        _meter.CreateObservableGauge("remoteexec_pool_slots_used", () => Slots(worker => worker.SlotsUsed), null, "Slots in use.");
        _meter.CreateObservableGauge("remoteexec_workers", Workers, null, "Workers by state.");
    }

    public void Merged() => _merged.Add(1);

    public void Connected(string pool) => _connections.Add(1, Tag("pool", pool));

    public void Disconnected(string pool) => _disconnections.Add(1, Tag("pool", pool));

    public void StaleReport() => _staleReports.Add(1);

    public void HookFailed() => _hookFailures.Add(1);

    public void Recorded(JournalRecord record)
    {
        if (record is JournalRecord.ExecutionRequeued) _retries.Add(1);
    }

    public void Ended(CompletedExecution execution)
    {
        var pool = Tag("pool", execution.Pool);
        _operations.Add(1, pool, Tag("result", Result(execution.Outcome)));
        // What this room refuses itself has neither worker nor response.
        if (execution.Outcome is { Code: OutcomeCode.FailedPrecondition, Response.IsEmpty: true } && execution.Attempt == 0)
            _unsatisfiable.Add(1);

        if (execution.LeasedAt is { } leasedAt)
        {
            double wait = (leasedAt - execution.QueuedAt).TotalSeconds;
            _wait.Record(wait, pool);
            _stages.Record(wait, pool, Tag("stage", "queue"));
            if (execution.StartedAt is { } startedAt)
                _stages.Record((startedAt - leasedAt).TotalSeconds, pool, Tag("stage", "assign"));
        }

        foreach (var stage in execution.Outcome.Stages)
            _stages.Record(stage.Duration.TotalSeconds, pool, Tag("stage", stage.Stage));
    }

    public void Dispose() => _meter.Dispose();

    private static string Result(ExecutionOutcome outcome) => outcome.Code switch
    {
        OutcomeCode.Ok when outcome.ExitCode is null or 0 => "ok",
        OutcomeCode.Ok => "nonzero",
        OutcomeCode.DeadlineExceeded => "timeout",
        OutcomeCode.Cancelled => "cancelled",
        OutcomeCode.FailedPrecondition or OutcomeCode.InvalidArgument => "refused",
        _ => "infra_error",
    };

    private static KeyValuePair<string, object?> Tag(string name, string value) => new(name, value);

    private QueueSnapshot Snapshot()
    {
        var snapshot = Volatile.Read(ref _snapshot);
        if (snapshot is null || _time.GetUtcNow() - snapshot.TakenAt > SnapshotAgeMax)
        {
            snapshot = _scheduler.Snapshot();
            Volatile.Write(ref _snapshot, snapshot);
        }

        return snapshot;
    }

    private IEnumerable<Measurement<long>> Executions()
    {
        foreach (var (pool, platforms) in Pools())
        {
            yield return new Measurement<long>(platforms.Sum(platform => platform.Queued), Tag("pool", pool), Tag("state", "queued"));
            yield return new Measurement<long>(platforms.Sum(platform => platform.Leased), Tag("pool", pool), Tag("state", "assigned"));
            yield return new Measurement<long>(platforms.Sum(platform => platform.Running), Tag("pool", pool), Tag("state", "running"));
        }
    }

    // An action takes one slot.
    private IEnumerable<Measurement<long>> Demand() => Pools().Select(pool => new Measurement<long>(
        pool.Platforms.Sum(platform => platform.Queued + platform.Leased + platform.Running), Tag("pool", pool.Pool)));

    private IEnumerable<Measurement<double>> OldestAge()
    {
        var now = Snapshot().TakenAt;
        foreach (var (pool, platforms) in Pools())
        {
            var oldest = platforms.Min(platform => platform.OldestQueuedAt) ?? now;
            yield return new Measurement<double>((now - oldest).TotalSeconds, Tag("pool", pool));
        }
    }

    private IEnumerable<Measurement<long>> Slots(Func<WorkerSnapshot, int> count) =>
        Snapshot().Workers
            .GroupBy(worker => worker.Description.Pool)
            .Select(pool => new Measurement<long>(pool.Sum(count), Tag("pool", pool.Key)));

    private IEnumerable<Measurement<long>> Workers() =>
        Snapshot().Workers
            .GroupBy(worker => (worker.Description.Pool, worker.State, worker.Description.Version))
            .Select(group => new Measurement<long>(
                group.Count(),
                Tag("pool", group.Key.Pool),
                Tag("state", StateName(group.Key.State)),
                Tag("version", group.Key.Version)));

    /// <summary>A client may ask for any pool: those that no worker is in share one label, or a client could invent series.</summary>
    private IEnumerable<(string Pool, IEnumerable<PlatformSnapshot> Platforms)> Pools()
    {
        var snapshot = Snapshot();
        var known = snapshot.Workers.Select(worker => worker.Description.Pool).Append(AnyPool).ToHashSet();
        var platforms = snapshot.Platforms.ToLookup(platform =>
            platform.Pool.Length == 0 ? AnyPool : known.Contains(platform.Pool) ? platform.Pool : UnknownPool);
        // An idle pool says 0: a series that vanishes cannot be alerted on.
        return known.Append(UnknownPool).Where(pool => pool.Length > 0).Select(pool => (pool, platforms[pool]));
    }

    private static string StateName(WorkerState state) => state switch
    {
        WorkerState.Joining => "joining",
        WorkerState.Ready => "ready",
        WorkerState.Draining => "draining",
        WorkerState.Quarantined => "quarantined",
        _ => "gone",
    };
}
