using System.Collections.Immutable;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using Action = System.Action;
using Blame = RemoteExec.Scheduling.Blame;
using Lease = RemoteExec.Scheduling.Lease;
using LeaseId = RemoteExec.Scheduling.LeaseId;
using WireBlame = RemoteExec.Protocol.V1.Blame;
using WireLease = RemoteExec.Protocol.V1.Lease;
using WireLeaseId = RemoteExec.Protocol.V1.LeaseId;

namespace RemoteExec.Services;

/// <summary>remoteexec.v1 between wire and scheduler. What a worker gets wrong here is INVALID_ARGUMENT and ends its stream.</summary>
internal static class WorkerMessages
{
    // What runs and what waits, and twice as much that is over and not acknowledged.
    private const int LeasesMax = 4 * Pools.SlotsMax;

    // A duration of protobuf may be longer than ours; nobody waits for a year.
    private const long SecondsMax = 365 * 24 * 3600;

    private const int NameLengthMax = 256;

    // The name of a container image with its digest takes a quarter of it.
    private const int ValueLengthMax = 1024;

    // The protocol names eight.
    private const int WallsMax = 64;

    public static WorkerDescription Describe(Hello hello, Limits limits)
    {
        if (hello.WorkerId.Length == 0 || !WorkerWords.IsName(hello.WorkerId, NameLengthMax))
            throw RpcErrors.InvalidField("hello.worker_id", $"a worker id has 1 to {NameLengthMax} printable characters");
        if (!WorkerWords.IsName(hello.Pool, NameLengthMax)) throw RpcErrors.InvalidField("hello.pool", $"a pool has at most {NameLengthMax} printable characters");
        if (hello.Slots < 1 || hello.Slots > limits.SlotsMax)
            throw RpcErrors.InvalidField("hello.slots", $"slots is {hello.Slots}, 1 to {limits.SlotsMax} are possible");
        if (hello.Prefetch < 0 || hello.Prefetch > limits.SlotsMax)
            throw RpcErrors.InvalidField("hello.prefetch", $"prefetch is {hello.Prefetch}, 0 to {limits.SlotsMax} are possible");

        // They go to pages and into the sentences of refused clients, and nobody can ask for what cannot be written.
        if (hello.Properties.Any(property => !WorkerWords.IsName(property.Name, NameLengthMax) || !WorkerWords.IsName(property.Value, ValueLengthMax)))
            throw RpcErrors.InvalidField("hello.properties", $"a property has a name of at most {NameLengthMax} and a value of at most {ValueLengthMax} printable characters");
        if (hello.Walls.Count > WallsMax) throw RpcErrors.InvalidField("hello.walls", $"there are {hello.Walls.Count} walls, {WallsMax} are possible");

        var properties = hello.Properties.Select(property => new PlatformProperty(property.Name, property.Value));
        if (!Platform.TryCreate(properties, out var platform, out string? error)) throw RpcErrors.InvalidField("hello.properties", error);

        return new WorkerDescription
        {
            Id = hello.WorkerId,
            Home = RequestOrigins.Clean(hello.Home),
            Pool = hello.Pool,
            Slots = hello.Slots,
            Prefetch = hello.Prefetch,
            Properties = platform,
            Walls = [.. hello.Walls.Select(wall => new WorkerWall(RequestOrigins.Clean(wall.Name), wall.Enforced, RequestOrigins.Clean(wall.Reason)))],
            Version = RequestOrigins.Clean(hello.Version),
            Running = LeaseIds(hello.Running),
            Waiting = LeaseIds(hello.Waiting),
            Unreported = LeaseIds(hello.Unreported),
            IsDraining = hello.Draining,
        };
    }

    /// <summary>What a message of a joined worker tells its session.</summary>
    public static Action Read(WorkerMessage message, WorkerSession session)
    {
        switch (message.MessageCase)
        {
            case WorkerMessage.MessageOneofCase.Heartbeat:
                var held = LeaseIds(message.Heartbeat.Held);
                return () => session.Heartbeat(held);
            case WorkerMessage.MessageOneofCase.LeaseStarted:
                var started = FromWire(message.LeaseStarted.Lease);
                var waited = message.LeaseStarted.Waited is { Seconds: >= 0 and < SecondsMax, Nanos: >= 0 and < 1_000_000_000 } time ? time.ToTimeSpan() : default;
                return () => session.Started(started, waited);
            case WorkerMessage.MessageOneofCase.LeaseStopped:
                var stopped = FromWire(message.LeaseStopped.Lease);
                return () => session.Stopped(stopped);
            case WorkerMessage.MessageOneofCase.LeaseReturned:
                var returned = FromWire(message.LeaseReturned.Lease);
                return () => session.HandBack(returned);
            case WorkerMessage.MessageOneofCase.DrainRequested:
                return session.RequestDrain;
            default:
                throw RpcErrors.Invalid("a worker says hello once, and nothing empty");
        }
    }

    public static ImmutableArray<LeaseId> LeaseIds(IReadOnlyCollection<WireLeaseId> wire) => wire.Count <= LeasesMax
        ? [.. wire.Select(FromWire)]
        : throw RpcErrors.Invalid($"a worker names {wire.Count} leases, at most {LeasesMax} can be in its hands");

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

    /// <summary>Who does not say whose fault a failure was is to blame.</summary>
    public static Blame FromWire(WireBlame wire) => wire switch
    {
        WireBlame.Client => Blame.Client,
        WireBlame.Action => Blame.Action,
        WireBlame.Coordinator => Blame.Coordinator,
        WireBlame.Store => Blame.Store,
        _ => Blame.Worker,
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
            Priority = lease.Priority,
            // Parsed once already when it came, or it would not be here.
            RequestMetadata = lease.Request.Origin.RequestMetadata.IsEmpty
                ? null
                : RequestMetadata.Parser.ParseFrom(lease.Request.Origin.RequestMetadata.Span),
        },
    };

    public static CoordinatorMessage Cancel(LeaseId lease, string reason) =>
        new() { CancelLease = new CancelLease { Lease = ToWire(lease), Reason = reason } };

    public static CoordinatorMessage Recall(LeaseId lease) => new() { RecallLease = new RecallLease { Lease = ToWire(lease) } };

    private static WireLeaseId ToWire(LeaseId lease) => new() { ExecutionId = lease.Execution.ToString(), Attempt = lease.Attempt };
}
