namespace RemoteExec.Storage;

/// <summary>
/// A wall clock that only ever goes on, with the monotonic one: promises are durations, and a clock that somebody sets right must neither
/// break them nor keep everything from ageing until it has caught up.
/// </summary>
internal sealed class SteadyTime(TimeProvider inner, DateTimeOffset begun) : TimeProvider
{
    // What is longer was not measured between two runs of one machine, and must not keep a store from opening.
    private const long PassedMsMax = 10L * 365 * 24 * 3600 * 1000;

    private readonly long _start = inner.GetTimestamp();

    public SteadyTime(TimeProvider inner)
        : this(inner, inner.GetUtcNow())
    {
    }

    public override long TimestampFrequency => inner.TimestampFrequency;

    /// <summary>So much the wall clock was set forward since it was looked at.</summary>
    public TimeSpan WallAhead => inner.GetUtcNow() - GetUtcNow();

    /// <summary>Goes on where an earlier run was: its stamps have the ages that they would have had in it.</summary>
    /// <param name="isSameBoot">The monotonic clock is that run's. Of another boot only the wall clock tells how much time has passed.</param>
    public static SteadyTime After(in ClockReading last, bool isSameBoot, TimeProvider inner)
    {
        long passedMs = isSameBoot ? MonotonicMs(inner) - last.MonotonicMs : -1;
        if (passedMs is < 0 or > PassedMsMax) passedMs = inner.GetUtcNow().ToUnixTimeMilliseconds() - last.WallMs;
        return new SteadyTime(inner, DateTimeOffset.FromUnixTimeMilliseconds(last.SteadyMs + Math.Clamp(passedMs, 0, PassedMsMax)));
    }

    public ClockReading Read() => new(inner.GetUtcNow().ToUnixTimeMilliseconds(), GetUtcNow().ToUnixTimeMilliseconds(), MonotonicMs(inner));

    public override DateTimeOffset GetUtcNow() => begun + inner.GetElapsedTime(_start);

    public override long GetTimestamp() => inner.GetTimestamp();

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        inner.CreateTimer(callback, state, dueTime, period);

    private static long MonotonicMs(TimeProvider time)
    {
        var (seconds, rest) = Math.DivRem(time.GetTimestamp(), time.TimestampFrequency);
        return (seconds * 1000) + (rest * 1000 / time.TimestampFrequency);
    }
}
