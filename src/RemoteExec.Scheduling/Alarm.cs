namespace RemoteExec.Scheduling;

/// <summary>The one timer: set for the earliest moment at which the queue wants to look. Used under the scheduler's lock.</summary>
internal sealed class Alarm(TimeProvider time, Action ring) : IAsyncDisposable
{
    // A timer takes at most 49 days.
    private static readonly TimeSpan SetForMax = TimeSpan.FromDays(1);

    private readonly ITimer _timer = time.CreateTimer(_ => ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    private TimeSpan? _setFor;

    /// <summary>It would ring late for this, or not at all; it may ring early, and is then set again.</summary>
    public bool IsLateFor(TimeSpan due) => _setFor is not { } at || at > due;

    /// <summary>Both monotonic. Rings early when that is far away.</summary>
    public void Set(TimeSpan at, TimeSpan now)
    {
        var wait = at <= now ? TimeSpan.Zero : at - now < SetForMax ? at - now : SetForMax;
        _setFor = now + wait;
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    /// <summary>It has rung.</summary>
    public void Reset() => _setFor = null;

    public ValueTask DisposeAsync() => _timer.DisposeAsync();
}
