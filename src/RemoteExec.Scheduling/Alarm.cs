namespace RemoteExec.Scheduling;

/// <summary>The one timer: set for the earliest moment at which the queue wants to look. Used under the scheduler's lock.</summary>
internal sealed class Alarm(TimeProvider time, Action ring) : IAsyncDisposable
{
    private readonly ITimer _timer = time.CreateTimer(_ => ring(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    private TimeSpan? _setFor;

    /// <summary>Both monotonic. It may ring early and is then set again, never late.</summary>
    public void Set(TimeSpan? due, TimeSpan now)
    {
        if (due is not { } at || _setFor <= at) return;

        _setFor = at;
        _timer.Change(at > now ? at - now : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>It has rung.</summary>
    public void Reset() => _setFor = null;

    public ValueTask DisposeAsync() => _timer.DisposeAsync();
}
