namespace RemoteExec.Scheduling;

/// <summary>An execution given to a worker.</summary>
/// <param name="Priority">Where it stands in the queue, which is not what its first client asked when others wait for it, or nobody.</param>
public sealed record Lease(LeaseId Id, ExecutionRequest Request, DateTimeOffset QueuedAt, int Priority);
