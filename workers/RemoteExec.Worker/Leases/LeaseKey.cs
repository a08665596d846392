using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>A lease's identity: the attempt is the fencing token (DESIGN D6).</summary>
internal readonly record struct LeaseKey(string ExecutionId, int Attempt)
{
    public static LeaseKey Of(LeaseId? lease) => lease is null ? default : new(lease.ExecutionId, lease.Attempt);

    public LeaseId ToWire() => new() { ExecutionId = ExecutionId, Attempt = Attempt };
}
