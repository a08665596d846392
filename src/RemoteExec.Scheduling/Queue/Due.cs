namespace RemoteExec.Scheduling;

/// <summary>Something to look at when its time has come. Entries are never removed: what no longer holds is dropped when seen.</summary>
internal abstract record Due
{
    private Due()
    {
    }

    public sealed record WorkerSilent(Worker Worker) : Due;

    public sealed record WorkerNotBack(Worker Worker) : Due;

    public sealed record ProbeOpen(Worker Worker) : Due;

    public sealed record OperationAbandoned(Operation Operation) : Due;

    public sealed record PlatformUnsatisfiable(PlatformQueue Queue) : Due;

    public sealed record RetentionOver : Due;
}
