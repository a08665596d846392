namespace RemoteExec.Scheduling;

/// <summary>
/// What failed on a worker lately, and for how long it is kept from work because of it. It outlives the connection, and for a while the
/// worker: who was quarantined and comes back is quarantined still.
/// </summary>
internal sealed class Breaker(SchedulerOptions options)
{
    private readonly HashSet<ExecutionId> _failed = [];
    private int _quarantines;

    public bool IsTripped { get; private set; }

    /// <summary>Monotonic. After it one lease is given: the probe.</summary>
    public TimeSpan Until { get; private set; }

    public bool IsProbing { get; set; }

    /// <summary>The lease that decides.</summary>
    public LeaseId? Probe { get; set; }

    public TimeSpan? LeftOf(Instant now) =>
        !IsTripped ? null : Until > now.Monotonic ? Until - now.Monotonic : TimeSpan.Zero;

    /// <summary>A command ran: all is forgotten.</summary>
    public void Clear()
    {
        _failed.Clear();
        _quarantines = 0;
        (IsTripped, IsProbing, Probe) = (false, false, null);
    }

    /// <summary>
    /// True when this failure begins a quarantine. Different executions are counted, not failures: one poisonous job must not take
    /// a healthy worker out of service. While it lasts only a failed probe makes it longer: what else fails was given out before, and a
    /// worker with many slots would be out for as many doublings.
    /// </summary>
    /// <param name="atOnce">This failure alone is enough.</param>
    public bool Mark(LeaseId lease, bool atOnce, Instant now)
    {
        bool isEnough = IsTripped ? lease == Probe : (_failed.Add(lease.Execution) && _failed.Count >= options.QuarantineAfter) || atOnce;
        if (!isEnough) return false;

        // The shift is bounded: beyond it the maximum has long been reached.
        var duration = options.QuarantineFirst * (1 << Math.Min(_quarantines++, 16));
        Until = now.Monotonic + (duration < options.QuarantineMax ? duration : options.QuarantineMax);
        (IsTripped, IsProbing, Probe) = (true, false, null);
        return true;
    }
}
