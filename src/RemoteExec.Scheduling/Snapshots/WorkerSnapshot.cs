namespace RemoteExec.Scheduling;

/// <summary>One worker as the scheduler sees it.</summary>
/// <param name="Description">As it joined; for a worker that is expected back, only its id is known.</param>
public sealed record WorkerSnapshot(
    WorkerDescription Description,
    WorkerState State,
    int SlotsUsed,
    IReadOnlyList<LeaseId> Leases,
    DateTimeOffset JoinedAt,
    DateTimeOffset LastHeardAt)
{
    /// <summary>How long it is kept from work yet; null when it is not in quarantine, zero when the probe is open.</summary>
    public TimeSpan? QuarantinedFor { get; init; }

    /// <summary>It was told to stop something and has not confirmed it in time: no more work until it has.</summary>
    public bool IsStuck { get; init; }

    /// <summary>Slots that are kept for what was called back from other workers.</summary>
    public int SlotsKept { get; init; }
}
