using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>A lease's identity: the attempt is the fencing token (DESIGN D6).</summary>
internal readonly record struct LeaseKey(string ExecutionId, int Attempt)
{
    /// <exception cref="ArgumentException">There is none: nothing could be reported about it.</exception>
    public static LeaseKey Of(LeaseId? lease) =>
        lease is null ? throw new ArgumentException("the message names no lease", nameof(lease)) : new(lease.ExecutionId, lease.Attempt);

    public LeaseId ToWire() => new() { ExecutionId = ExecutionId, Attempt = Attempt };
}
