namespace RemoteExec.Scheduling;

/// <summary>A lease that is current, and who holds it.</summary>
public sealed record HeldLease(ExecutionRequest Request, string WorkerId, DateTimeOffset QueuedAt, DateTimeOffset LeasedAt);
