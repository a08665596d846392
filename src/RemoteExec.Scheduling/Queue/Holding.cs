namespace RemoteExec.Scheduling;

/// <summary>One lease in a worker's hands, as far as we know.</summary>
internal sealed class Holding
{
    private volatile bool _isOffered;

    /// <summary>
    /// The worker has been told. Before that, which a slow disk or a slow connection may make long, it cannot name the lease and has
    /// not lost it. Set by whoever sends, outside of the scheduler's lock.
    /// </summary>
    public bool IsOffered
    {
        get => _isOffered;
        set => _isOffered = value;
    }

    /// <summary>Since when heartbeats fail to name it.</summary>
    public TimeSpan? MissingSince { get; set; }
}
