namespace RemoteExec.Storage;

/// <summary>
/// The wall clock as of a store's opening, and from then on the monotonic one: promises are durations, and a clock that somebody
/// sets right must neither break them nor keep everything from ageing until it has caught up.
/// </summary>
internal sealed class SteadyTime(TimeProvider inner) : TimeProvider
{
    private readonly DateTimeOffset _begun = inner.GetUtcNow();
    private readonly long _start = inner.GetTimestamp();

    public override long TimestampFrequency => inner.TimestampFrequency;

    public override DateTimeOffset GetUtcNow() => _begun + inner.GetElapsedTime(_start);

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);
}
