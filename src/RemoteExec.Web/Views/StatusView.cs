namespace RemoteExec.Web;

/// <summary>The server at a glance: <c>GET /api/v1/status</c> and each event of <c>/api/v1/live</c>.</summary>
public sealed record StatusView(
    string Version,
    double UptimeSeconds,
    bool Ready,
    bool Draining,
    string Fault,
    string GrpcAddress,
    int Queued,
    int Running,
    long OperationsCompleted,
    long ActionCacheHits,
    long ActionCacheMisses,
    StorageView Storage,
    IReadOnlyList<QueueView> Queues,
    IReadOnlyList<WorkerView> Workers,
    IReadOnlyList<ActionRow> Actions);
