namespace RemoteExec.Scheduling;

/// <summary>One worker as the scheduler sees it.</summary>
/// <param name="Description">As it joined; for a worker that is expected back, only its id is known.</param>
public sealed record WorkerSnapshot(
    WorkerDescription Description,
    WorkerState State,
    int SlotsUsed,
    IReadOnlyList<LeaseId> Leases,
    DateTimeOffset JoinedAt,
    DateTimeOffset LastHeardAt);
