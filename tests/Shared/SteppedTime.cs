namespace RemoteExec.Testing;

/// <summary>A manual clock whose wall somebody sets, while its monotonic one goes on.</summary>
internal sealed class SteppedTime(TimeProvider inner) : TimeProvider
{
    private TimeSpan _by;

    public override long TimestampFrequency => inner.TimestampFrequency;

    public void Step(TimeSpan by) => _by += by;

    public override DateTimeOffset GetUtcNow() => inner.GetUtcNow() + _by;

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);
}
