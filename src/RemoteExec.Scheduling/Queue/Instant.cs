namespace RemoteExec.Scheduling;

/// <summary>
/// A moment by both clocks. Durations and deadlines are counted by the monotonic one, which nobody can set; the wall clock only stamps
/// what people and records read (DESIGN D8).
/// </summary>
internal readonly record struct Instant(TimeSpan Monotonic, DateTimeOffset Wall)
{
    /// <summary>
    /// A moment that a record tells of, as seen from this one. How long ago it was is known by the wall clock alone, which may have been
    /// set since: good enough to show, never a deadline.
    /// </summary>
    public Instant Recorded(DateTimeOffset at) => new(Monotonic - (Wall > at ? Wall - at : TimeSpan.Zero), at);

    public static TimeSpan operator -(Instant later, Instant earlier) => later.Monotonic - earlier.Monotonic;
}
