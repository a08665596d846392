namespace RemoteExec.Scheduling;

/// <summary>Everything that waits, runs and has just finished, for the web page and the metrics.</summary>
public sealed record QueueSnapshot(
    DateTimeOffset TakenAt,
    int Queued,
    int Leased,
    int Running,
    IReadOnlyList<PlatformSnapshot> Platforms,
    IReadOnlyList<WorkerSnapshot> Workers,
    IReadOnlyList<OperationSnapshot> RecentlyFinished);
