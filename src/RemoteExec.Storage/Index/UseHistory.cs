namespace RemoteExec.Storage;

/// <summary>What the use log of the last run tells about itself.</summary>
/// <param name="Ending">How far the log can be trusted.</param>
/// <param name="IsOfThisBoot">It was written since the machine came up, and no use is missing.</param>
/// <param name="Clock">How its stamps are to be read; null where they are those of the wall clock.</param>
/// <param name="EndBytes">Behind the last record; 0 when there is nothing to go on from.</param>
internal sealed record UseHistory(UseLogEnding Ending, bool IsOfThisBoot, ClockReading? Clock, long EndBytes)
{
    /// <summary>The clock that goes on with its stamps, if any of them counts.</summary>
    public SteadyTime Continue(TimeProvider time) =>
        Clock is { } last && Ending != UseLogEnding.Unknown ? SteadyTime.After(last, IsOfThisBoot, time) : new SteadyTime(time);
}

internal enum UseLogEnding
{
    /// <summary>No log, one that says that uses are missing, or the machine went down under it: later uses may be lost.</summary>
    Unknown,

    /// <summary>The process ended without closing, the kernel kept what was written: exact to the granularity.</summary>
    Killed,

    /// <summary>Closed in order: exact.</summary>
    Closed,
}
