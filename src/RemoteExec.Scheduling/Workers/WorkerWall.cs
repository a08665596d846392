namespace RemoteExec.Scheduling;

/// <summary>One isolation mechanism, whether it stands, and if not, why in one sentence.</summary>
public sealed record WorkerWall(string Name, bool IsEnforced, string Reason);
