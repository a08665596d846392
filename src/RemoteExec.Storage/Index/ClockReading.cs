namespace RemoteExec.Storage;

/// <summary>What three clocks said at one moment: the wall's, the one that uses are stamped with (<see cref="SteadyTime"/>), and the monotonic one of this boot.</summary>
internal readonly record struct ClockReading(long WallMs, long SteadyMs, long MonotonicMs);
