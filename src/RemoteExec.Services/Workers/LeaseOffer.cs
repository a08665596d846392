using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>A lease as it went down the stream, and when.</summary>
internal sealed record LeaseOffer(Lease Lease, DateTimeOffset LeasedAt);
