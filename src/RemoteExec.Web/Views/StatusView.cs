namespace RemoteExec.Web;

/// <summary>The server at a glance: <c>GET /api/v1/status</c> and each event of <c>/api/v1/live</c>.</summary>
public sealed record StatusView
{
    public required string Version { get; init; }

    public required double UptimeSeconds { get; init; }

    public required bool Ready { get; init; }

    public required bool Draining { get; init; }

    /// <summary>Why it does not serve, or empty.</summary>
    public required string Fault { get; init; }

    public required string GrpcAddress { get; init; }

    public required int Queued { get; init; }

    public required int Running { get; init; }

    public required long OperationsCompleted { get; init; }

    public required long ActionCacheHits { get; init; }

    public required long ActionCacheMisses { get; init; }

    public required StorageView Storage { get; init; }

    public required IReadOnlyList<QueueView> Queues { get; init; }

    public required IReadOnlyList<WorkerView> Workers { get; init; }

    public required IReadOnlyList<ActionRow> Actions { get; init; }
}
