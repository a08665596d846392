using RemoteExec.Core;
using RemoteExec.Observability;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Web;

/// <summary>Everything the pages read. Snapshots and stored blobs only: the web changes nothing, but for the cache.</summary>
public sealed record WebSources
{
    public required string Version { get; init; }

    /// <summary>A browser holds six connections a host, and may leave them idle for long; a handful of people may watch.</summary>
    public int ConnectionsMax { get; init; } = 1024;

    /// <summary>What a client is told to use, e.g. <c>grpc://127.0.0.1:8980</c>; known once the ports are open.</summary>
    public required Func<string> GrpcAddress { get; init; }

    public required TimeProvider Time { get; init; }

    public required ServerHealth Health { get; init; }

    public required ServerMetrics Metrics { get; init; }

    public required ActionHistory History { get; init; }

    public required IBlobStore Blobs { get; init; }

    /// <summary>The cache over HTTP/1.1; null where this port has none.</summary>
    public HttpCacheSources? Cache { get; init; }

    /// <summary>Where this server's gRPC port is for itself, for calls with JSON; null where this port makes none.</summary>
    public Func<Uri>? GrpcForJson { get; init; }

    public required Func<QueueSnapshot> Queue { get; init; }

    /// <summary>Operations that are not done, in the order they were accepted; at most so many.</summary>
    public required Func<int, IReadOnlyList<OperationSnapshot>> LiveOperations { get; init; }

    /// <summary>An operation on that execution that is not done.</summary>
    public required Func<ExecutionId, OperationSnapshot?> FindLive { get; init; }

    /// <summary>What a running attempt has written so far, of the end at most so many bytes.</summary>
    public Func<LeaseId, OutputStream, int, OutputSoFar> LiveOutput { get; init; } = (_, _, _) => default;

    public required Func<BlobStoreUsage> Storage { get; init; }
}
