namespace RemoteExec.Scheduling;

/// <summary>Whether the scheduler takes what comes, and if not, why. Changed under the scheduler's lock.</summary>
internal sealed class ServingState
{
    // A disk that is full is rarely given room within a second, and a process that drains has its successor by then.
    private static readonly TimeSpan RetryAfter = TimeSpan.FromSeconds(1);

    private readonly SchedulingException _feedsEnd = new(OutcomeCode.Unavailable, "the coordinator is shutting down", RetryAfter);
    private volatile SchedulingException? _fault;
    private volatile string? _stall;
    private Phase _phase = Phase.Created;
    private volatile bool _haveFeedsEnded;

    private enum Phase
    {
        Created,
        Serving,
        Draining,
        Stopped,
    }

    /// <summary>Why nothing is accepted, for now or until a restart; null while all is well. May be read at any time.</summary>
    public string? Fault => _fault?.Message ?? _stall;

    /// <summary>The journal waits for room, and time stands still: silence and absence are not held against those we cannot answer.</summary>
    public bool IsStalled => _stall is not null;

    public bool IsDraining => _phase is Phase.Draining or Phase.Stopped;

    public bool IsStopped => _phase == Phase.Stopped;

    /// <summary>Nobody is told of an end here any more. May be read at any time.</summary>
    public bool IsLeaving => _haveFeedsEnded || _fault is not null;

    /// <summary>Nothing happens yet, or any more.</summary>
    public bool IsStill => _phase is Phase.Created or Phase.Stopped;

    public void Begin() => _phase = Phase.Serving;

    /// <summary>False when it has happened before.</summary>
    public bool BeginDrain()
    {
        if (_phase != Phase.Serving) return false;
        _phase = Phase.Draining;
        return true;
    }

    /// <summary>What feeds end with from here on.</summary>
    public SchedulingException EndFeeds()
    {
        _haveFeedsEnded = true;
        return _feedsEnd;
    }

    public void Stop() => _phase = Phase.Stopped;

    public void Stall(string? reason) => _stall = reason;

    public void Fail(SchedulingException fault)
    {
        _fault = fault;
        _stall = null;
    }

    /// <exception cref="SchedulingException">UNAVAILABLE: not yet, not any more, or not before a restart.</exception>
    public void MustServe()
    {
        if (_fault is not null) throw Again(_fault);
        if (_phase is Phase.Serving or Phase.Draining) return;

        throw new SchedulingException(
            OutcomeCode.Unavailable,
            _phase == Phase.Created ? "the queue is still being recovered" : _feedsEnd.Message,
            // Inside the first of Bazel's retries (TRUST 1.2).
            retryAfter: TimeSpan.FromMilliseconds(500));
    }

    /// <exception cref="SchedulingException">The same, or feeds have ended.</exception>
    public void MustFeed()
    {
        MustServe();
        if (_haveFeedsEnded) throw Again(_feedsEnd);
    }

    /// <exception cref="SchedulingException">The same, or there is no room for more: a line at the door would only grow.</exception>
    public void MustTakeMore()
    {
        MustFeed();
        if (_stall is { } stall) throw new SchedulingException(OutcomeCode.Unavailable, stall, RetryAfter);
    }

    // Each with the trace of its own.
    private static SchedulingException Again(SchedulingException refusal) => new(refusal.Code, refusal.Message, refusal.RetryAfter);
}
