namespace RemoteExec.Scheduling;

/// <summary>What a worker is told.</summary>
public abstract record WorkerCommand
{
    private WorkerCommand() { }

    /// <summary>Run this.</summary>
    public sealed record OfferLease(Lease Lease) : WorkerCommand;

    /// <summary>Stop this attempt and kill its processes. Its slot is free again once the worker reports it or a heartbeat no longer names it.</summary>
    public sealed record CancelLease(LeaseId Lease, string Reason) : WorkerCommand;

    /// <summary>Give this back unless its command has begun; then it stays, and no answer is needed but that it has.</summary>
    public sealed record RecallLease(LeaseId Lease) : WorkerCommand;

    /// <summary>Nothing more will come: drained, replaced by a newer session, or the coordinator leaves.</summary>
    public sealed record End(string Reason) : WorkerCommand;
}
