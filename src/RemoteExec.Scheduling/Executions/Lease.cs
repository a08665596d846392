namespace RemoteExec.Scheduling;

/// <summary>An execution given to a worker.</summary>
public sealed record Lease(LeaseId Id, ExecutionRequest Request, DateTimeOffset QueuedAt);
