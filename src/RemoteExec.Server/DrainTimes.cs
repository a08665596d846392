namespace RemoteExec.Server;

/// <summary>How the one limit of a drain is divided.</summary>
internal static class DrainTimes
{
    // To stop what runs, to tell every client, and to let that out of the sockets: some milliseconds, and a reserve for a busy machine.
    public static readonly TimeSpan GoodbyeMax = TimeSpan.FromSeconds(1);

    /// <summary>How long running actions may go on.</summary>
    public static TimeSpan WorkMaxOf(TimeSpan drainMax) => drainMax - (drainMax / 4 < GoodbyeMax ? drainMax / 4 : GoodbyeMax);

    /// <summary>When nothing is waited for any more: at the limit, or the time of a goodbye after the work, where the limit leaves less.</summary>
    public static TimeSpan EndMaxOf(TimeSpan drainMax) => WorkMaxOf(drainMax) + GoodbyeMax > drainMax ? WorkMaxOf(drainMax) + GoodbyeMax : drainMax;
}
