using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// The executions that ask for the same properties, in the order in which they will run: what a client waits for before what none does,
/// then the lower priority value (REAPI ExecutionPolicy.priority), then first come, first served. Priorities are strict and do not age: a client
/// that asks for -1 means it, and a queue that only aging could drain is short of workers. Executions come and go by
/// <see cref="Filing"/>.
/// </summary>
internal sealed class PlatformQueue(Platform platform, Instant now)
{
    public static IComparer<Execution> ByTurn { get; } = Comparer<Execution>.Create((left, right) =>
        left.IsWatched != right.IsWatched ? right.IsWatched.CompareTo(left.IsWatched)
        : left.Priority != right.Priority ? left.Priority.CompareTo(right.Priority) : left.Sequence.CompareTo(right.Sequence));

    private static readonly Comparer<Execution> ByAge = Comparer<Execution>.Create((left, right) => left.Sequence.CompareTo(right.Sequence));

    public Platform Platform { get; } = platform;

    /// <summary>Those that may be given out now.</summary>
    public SortedSet<Execution> Waiting { get; } = new(ByTurn);

    /// <summary>Those that wait at a worker for one of its slots and may be called back.</summary>
    public SortedSet<Execution> Ahead { get; } = new(ByTurn);

    /// <summary>All that are queued, also those that wait out a lost attempt; the oldest first, so that nobody has to look for it.</summary>
    public SortedSet<Execution> Queued { get; } = new(ByAge);

    /// <summary>Executions that are not completed; when none is left the queue goes, so inventing platforms costs nothing.</summary>
    public int Live { get; set; }

    public int Leased { get; set; }

    public int Running { get; set; }

    /// <summary>The classes whose offer covers the platform.</summary>
    public List<WorkerClass> Classes { get; } = [];

    /// <summary>A <see cref="Due.PlatformUnsatisfiable"/> is outstanding: one is enough.</summary>
    public bool IsWatched { get; set; }

    /// <summary>Since when no class serves it, monotonic; null while one does.</summary>
    public TimeSpan? UnsatisfiableSince { get; set; } = now.Monotonic;

    /// <summary>
    /// The best free worker: the least loaded of all classes, then the longest idle. One that has lost an attempt is tried last among those
    /// that have a free slot, and among those that have not.
    /// </summary>
    public Worker? BestWorkerFor(Execution execution)
    {
        string? notHere = execution.Losses > 0 ? execution.WorkerId : null;
        Worker? best = null;
        foreach (var @class in Classes)
        {
            if (@class.Best(notHere) is not { } candidate) continue;
            if (best is null || Prefer(candidate, best, notHere)) best = candidate;
        }

        return best;
    }

    private static bool Prefer(Worker candidate, Worker best, string? notHere) =>
        candidate.HasFreeSlot != best.HasFreeSlot ? candidate.HasFreeSlot
            : (candidate.Id == notHere) == (best.Id == notHere)
            ? WorkerClass.ByLoad.Compare(candidate, best) < 0
            : best.Id == notHere;
}
