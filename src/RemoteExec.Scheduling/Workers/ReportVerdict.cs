namespace RemoteExec.Scheduling;

/// <summary>What became of a worker's report.</summary>
public enum ReportVerdict
{
    Accepted,

    /// <summary>It was about an attempt that had already been taken back: nothing changed, and the worker may forget it.</summary>
    Stale,
}
