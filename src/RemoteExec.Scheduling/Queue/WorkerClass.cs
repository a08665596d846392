using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// All workers that offer the same. Matching is decided once per class and platform, not per worker and execution,
/// and the best free worker of a class is the first of a sorted set.
/// </summary>
internal sealed class WorkerClass(Platform offer)
{
    public static IComparer<Worker> ByLoad { get; } = Comparer<Worker>.Create((left, right) =>
    {
        // left.Taken / left.Slots against right.Taken / right.Slots, without fractions. Free workers have slots.
        long load = (long)left.Taken * right.Description.Slots - (long)right.Taken * left.Description.Slots;
        if (load != 0) return Math.Sign(load);

        int idle = left.IdleSince.CompareTo(right.IdleSince);
        return idle != 0 ? idle : left.Ordinal.CompareTo(right.Ordinal);
    });

    public Platform Offer { get; } = offer;

    /// <summary>Connected or expected back; draining ones too.</summary>
    public List<Worker> Members { get; } = [];

    /// <summary>Those with room: the least loaded first, then the longest idle. Workers come and go by <see cref="Worker.StandUp"/>.</summary>
    public SortedSet<Worker> Free { get; } = new(ByLoad);

    /// <summary>The queues these workers may serve.</summary>
    public List<PlatformQueue> Queues { get; } = [];

    /// <summary>Someone here will take work again.</summary>
    public bool Serves => Members.Exists(worker => worker.State is not WorkerState.Draining);

    /// <summary>The best free worker, and <paramref name="notHere"/> only where there is no other.</summary>
    public Worker? Best(string? notHere)
    {
        var first = Free.Min;
        if (first is null || first.Id != notHere) return first;

        // At most one step further: ids are unique.
        var second = Free.Skip(1).FirstOrDefault(first);
        return first.HasFreeSlot && !second.HasFreeSlot ? first : second;
    }
}
