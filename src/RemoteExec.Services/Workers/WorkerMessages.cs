using System.Collections.Immutable;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using Lease = RemoteExec.Scheduling.Lease;
using LeaseId = RemoteExec.Scheduling.LeaseId;
using WireLease = RemoteExec.Protocol.V1.Lease;
using WireLeaseId = RemoteExec.Protocol.V1.LeaseId;

namespace RemoteExec.Services;

/// <summary>remoteexec.v1 between wire and scheduler. What a worker gets wrong here is INVALID_ARGUMENT and ends its stream.</summary>
internal static class WorkerMessages
{
    private const int SlotsMax = Pools.SlotsMax;
    private const int NameLengthMax = 256;

    public static WorkerDescription Describe(Hello hello)
    {
        if (hello.WorkerId.Length is 0 or > NameLengthMax || hello.WorkerId.Any(char.IsControl))
            throw RpcErrors.InvalidField("hello.worker_id", $"a worker id has 1 to {NameLengthMax} printable characters");
        if (hello.Pool.Length > NameLengthMax) throw RpcErrors.InvalidField("hello.pool", $"a pool has at most {NameLengthMax} characters");
        if (hello.Slots is < 1 or > SlotsMax) throw RpcErrors.InvalidField("hello.slots", $"slots is {hello.Slots}, 1 to {SlotsMax} are possible");

        if (hello.Prefetch is < 0 or > SlotsMax)
            throw RpcErrors.InvalidField("hello.prefetch", $"prefetch is {hello.Prefetch}, 0 to {SlotsMax} are possible");

        var properties = hello.Properties.Select(property => new PlatformProperty(property.Name, property.Value));
        if (!Platform.TryCreate(properties, out var platform, out string? error)) throw RpcErrors.InvalidField("hello.properties", error);

        return new WorkerDescription
        {
            Id = hello.WorkerId,
            Pool = hello.Pool,
            Slots = hello.Slots,
            Prefetch = hello.Prefetch,
            Properties = platform,
            Walls = [.. hello.Walls.Select(wall => new WorkerWall(wall.Name, wall.Enforced, RequestOrigins.Clean(wall.Reason)))],
            Version = RequestOrigins.Clean(hello.Version),
            Running = LeaseIds(hello.Running),
        };
    }

    public static ImmutableArray<LeaseId> LeaseIds(IEnumerable<WireLeaseId> wire) => [.. wire.Select(FromWire)];

    public static LeaseId FromWire(WireLeaseId? wire)
    {
        if (wire is null) throw RpcErrors.Invalid("a report names no lease");
        if (!ExecutionId.TryParse(wire.ExecutionId, out var execution) || wire.Attempt < 1)
            throw RpcErrors.Invalid($"'{RequestOrigins.Clean(wire.ExecutionId)}' attempt {wire.Attempt} is not a lease");
        return new LeaseId(execution, wire.Attempt);
    }

    public static OutputStream FromWire(LeaseOutput.Types.Stream wire) => wire switch
    {
        LeaseOutput.Types.Stream.Stdout => OutputStream.Stdout,
        LeaseOutput.Types.Stream.Stderr => OutputStream.Stderr,
        _ => throw RpcErrors.Invalid($"stream {(int)wire} of a lease's output is neither stdout nor stderr"),
    };

    public static CoordinatorMessage Welcome(TimeSpan heartbeatInterval, ServicesOptions options) => new()
    {
        Welcome = new Welcome
        {
            HeartbeatInterval = Duration.FromTimeSpan(heartbeatInterval),
            CoordinatorVersion = options.Version,
            Limits = options.Limits.ToWire(),
        },
    };

    public static CoordinatorMessage Offer(Lease lease) => new()
    {
        Lease = new WireLease
        {
            Lease_ = ToWire(lease.Id),
            InstanceName = lease.Request.Instance.Value,
            ActionDigest = lease.Request.Action.ToWire(),
            DigestFunction = lease.Request.Action.Function.ToWire(),
            Timeout = Duration.FromTimeSpan(lease.Request.Timeout),
            QueuedTimestamp = Timestamp.FromDateTimeOffset(lease.QueuedAt),
            // Parsed once already when it came, or it would not be here.
            RequestMetadata = lease.Request.Origin.RequestMetadata.IsEmpty
                ? null
                : RequestMetadata.Parser.ParseFrom(lease.Request.Origin.RequestMetadata.Span),
        },
    };

    public static CoordinatorMessage Cancel(LeaseId lease, string reason) =>
        new() { CancelLease = new CancelLease { Lease = ToWire(lease), Reason = reason } };

    public static CoordinatorMessage Acknowledge(LeaseId lease) =>
        new() { FinishAcknowledged = new FinishAcknowledged { Lease = ToWire(lease) } };

    private static WireLeaseId ToWire(LeaseId lease) => new() { ExecutionId = lease.Execution.ToString(), Attempt = lease.Attempt };
}
