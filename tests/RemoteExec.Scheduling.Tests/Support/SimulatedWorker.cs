namespace RemoteExec.Scheduling.Tests;

/// <summary>A worker of a <see cref="Simulation"/>: what it holds, by its own books.</summary>
internal sealed class SimulatedWorker(string id, int slots, string pool, int prefetch)
{
    public string Id { get; } = id;

    public long Session { get; set; }

    public bool IsDead { get; private set; }

    public bool IsDraining { get; set; }

    public List<LeaseId> Running { get; } = [];

    public HashSet<LeaseId> Started { get; } = [];

    /// <summary>Told to stop, and not dead yet.</summary>
    public List<LeaseId> Dying { get; } = [];

    /// <summary>Ended, and not yet reported.</summary>
    public List<(LeaseId Lease, ExecutionOutcome Outcome)> Owed { get; } = [];

    public IEnumerable<LeaseId> Held => [.. Running, .. Dying, .. Owed.Select(owed => owed.Lease)];

    public void Joins(BuildQueue queue, Instant now) =>
        Session = queue.Join(
            Build.Worker(Id, slots) with
            {
                Pool = pool,
                Prefetch = prefetch,
                Running = [.. Running, .. Dying],
                Waiting = [.. Running.Where(lease => !Started.Contains(lease))],
                Unreported = [.. Owed.Select(owed => owed.Lease)],
                IsDraining = IsDraining,
            },
            now);

    public void Dies(BuildQueue queue, Instant now)
    {
        if (Session != 0) queue.Disconnected(Id, Session, now);
        IsDead = true;
    }
}
