using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// The executions that ask for the same properties, in the order in which they will run: lower priority value first
/// (REAPI ExecutionPolicy.priority), then first come, first served. Priorities are strict and do not age: a client
/// that asks for -1 means it, and a queue that only aging could drain is short of workers.
/// </summary>
internal sealed class PlatformQueue(Platform platform, DateTimeOffset now)
{
    public Platform Platform { get; } = platform;

    public SortedSet<Execution> Waiting { get; } = new(ByTurn);

    /// <summary>Executions that are not completed; when none is left the queue goes, so inventing platforms costs nothing.</summary>
    public int Live { get; set; }

    public int Leased { get; set; }

    public int Running { get; set; }

    /// <summary>The classes whose offer covers the platform.</summary>
    public List<WorkerClass> Classes { get; } = [];

    /// <summary>A <see cref="Due.PlatformUnsatisfiable"/> is outstanding: one is enough.</summary>
    public bool IsWatched { get; set; }

    /// <summary>Since when no class serves it; null while one does.</summary>
    public DateTimeOffset? UnsatisfiableSince { get; set; } = now;

    public static IComparer<Execution> ByTurn { get; } = Comparer<Execution>.Create((left, right) =>
        left.Priority != right.Priority ? left.Priority.CompareTo(right.Priority) : left.Sequence.CompareTo(right.Sequence));

    /// <summary>The best free worker: the least loaded of all classes, then the longest idle.</summary>
    public Worker? BestWorker()
    {
        Worker? best = null;
        foreach (var @class in Classes)
        {
            var candidate = @class.Free.Min;
            if (candidate is not null && (best is null || @class.Free.Comparer.Compare(candidate, best) < 0))
                best = candidate;
        }

        return best;
    }
}
