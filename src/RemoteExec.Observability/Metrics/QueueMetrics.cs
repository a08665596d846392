using RemoteExec.Scheduling;

namespace RemoteExec.Observability;

/// <summary>What waits, what runs and who could run it: one look at the queue for each scrape.</summary>
internal sealed class QueueMetrics(Instruments instruments)
{
    /// <summary>Executions that did not ask for a pool.</summary>
    private const string AnyPool = "any";

    private const string UnknownPool = "unknown";

    private readonly ShiftingGauge _executions = new(instruments.Gauge("remoteexec_queue_operations", "Executions by state.", "pool", "state"));
    private readonly ShiftingGauge _oldest = new(instruments.Gauge(
        "remoteexec_queue_oldest_operation_age_seconds", "Age of the execution that waits longest.", "pool"));
    private readonly ShiftingGauge _demand = new(instruments.Gauge(
        "remoteexec_queue_demand_slots", "Slots that all that waits and runs would take at once.", "pool"));
    private readonly ShiftingGauge _slots = new(instruments.Gauge("remoteexec_pool_slots", "Slots of connected workers.", "pool"));
    private readonly ShiftingGauge _slotsUsed = new(instruments.Gauge("remoteexec_pool_slots_used", "Slots in use.", "pool"));
    private readonly ShiftingGauge _workers = new(instruments.Gauge("remoteexec_workers", "Workers by state.", "pool", "state", "version"));

    public void Show(QueueSnapshot queue)
    {
        var pools = Pools(queue);
        _executions.Show(pools.SelectMany(pool => new (double, string[])[]
        {
            (pool.Platforms.Sum(platform => platform.Queued), [pool.Name, "queued"]),
            (pool.Platforms.Sum(platform => platform.Leased), [pool.Name, "assigned"]),
            (pool.Platforms.Sum(platform => platform.Running), [pool.Name, "running"]),
        }));
        _oldest.Show(pools.Select(pool => (
            pool.Platforms.Max(platform => platform.OldestAge)?.TotalSeconds ?? 0, new[] { pool.Name })));
        // An action takes one slot.
        _demand.Show(pools.Select(pool => (
            (double)pool.Platforms.Sum(platform => platform.Queued + platform.Leased + platform.Running), new[] { pool.Name })));

        _slots.Show(Slots(queue, worker => worker.Description.Slots));
        _slotsUsed.Show(Slots(queue, worker => worker.SlotsUsed));
        _workers.Show(queue.Workers
            .GroupBy(worker => (worker.Description.Pool, worker.State, worker.Description.Version))
            .Select(group => ((double)group.Count(), new[] { group.Key.Pool, StateName(group.Key.State), group.Key.Version })));
    }

    /// <summary>A client may ask for any pool: those that no worker is in share one label, or a client could invent series.</summary>
    private static List<(string Name, List<PlatformSnapshot> Platforms)> Pools(QueueSnapshot queue)
    {
        var known = queue.Workers.Select(worker => worker.Description.Pool).Append(AnyPool).ToHashSet();
        var platforms = queue.Platforms.ToLookup(platform =>
            platform.Pool.Length == 0 ? AnyPool : known.Contains(platform.Pool) ? platform.Pool : UnknownPool);
        // An idle pool says 0: a series that vanishes cannot be alerted on.
        return [.. known.Append(UnknownPool).Where(pool => pool.Length > 0).Distinct().Select(pool => (pool, platforms[pool].ToList()))];
    }

    private static IEnumerable<(double, string[])> Slots(QueueSnapshot queue, Func<WorkerSnapshot, int> count) => queue.Workers
        .GroupBy(worker => worker.Description.Pool)
        .Select(pool => ((double)pool.Sum(count), new[] { pool.Key }));

    private static string StateName(WorkerState state) => state switch
    {
        WorkerState.Joining => "joining",
        WorkerState.Ready => "ready",
        WorkerState.Draining => "draining",
        WorkerState.Quarantined => "quarantined",
        _ => "gone",
    };
}
