using System.Runtime.CompilerServices;
using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Observability;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;

namespace RemoteExec.Web;

/// <summary>Makes the glance of <see cref="StatusView"/> out of snapshots.</summary>
internal sealed class StatusReader(WebSources sources)
{
    // One screen of history; the rest is a scroll that nobody reads at a glance.
    private const int ActionsMax = 60;

    // A response may list thousands of outputs; read once for its row, not once a second and viewer.
    private readonly ConditionalWeakTable<CompletedExecution, ActionRow> _rows = [];

    public StatusView Read()
    {
        var now = sources.Time.GetUtcNow();
        var queue = sources.Queue();
        var storage = sources.Storage();
        var totals = sources.Metrics.Totals;
        return new StatusView
        {
            Version = sources.Version,
            UptimeSeconds = (now - sources.Health.StartedAt).TotalSeconds,
            Ready = sources.Health.IsReady,
            Draining = sources.Health.Phase == ServerPhase.Draining,
            Fault = sources.Health.Fault ?? "",
            GrpcAddress = sources.GrpcAddress(),
            Queued = queue.Queued + queue.Leased,
            Running = queue.Running,
            OperationsCompleted = totals.Executions,
            ActionCacheHits = totals.CacheHits,
            ActionCacheMisses = totals.CacheMisses,
            Storage = new StorageView(storage.UsedBytes, storage.LimitBytes, storage.Blobs),
            Queues = [.. queue.Platforms.Where(p => p.Queued + p.Leased + p.Running > 0).Select(View)],
            Workers = [.. queue.Workers.Select(View)],
            Actions = Actions(now),
        };
    }

    private IReadOnlyList<ActionRow> Actions(DateTimeOffset now)
    {
        var live = sources.LiveOperations(ActionsMax).DistinctBy(o => o.Execution).Select(o => Row(o, now));
        var finished = sources.History.Newest(ActionsMax).Select(c => _rows.GetValue(c, Row));
        return [.. live.Concat(finished).DistinctBy(a => a.Id).Take(ActionsMax)];
    }

    private static QueueView View(PlatformSnapshot p) => new(
        p.Pool, p.Platform.ToString(), p.Queued + p.Leased, p.Running,
        p.OldestAge?.TotalSeconds ?? 0);

    private static WorkerView View(WorkerSnapshot w) => new(
        w.Description.Id, w.Description.Pool, w.State.ToString().ToLowerInvariant(), w.Description.Slots, w.SlotsUsed, w.Description.Version,
        [.. w.Description.Properties.Properties.Select(p => $"{p.Name}={p.Value}")],
        [.. w.Description.Walls.Select(wall => new WallView(wall.Name, wall.IsEnforced, wall.Reason))]);

    /// <summary>An execution that has not ended.</summary>
    public static ActionRow Row(OperationSnapshot o, DateTimeOffset now) => Row(o.Execution, o.Request) with
    {
        Stage = o.Stage.ToString().ToLowerInvariant(),
        Worker = o.WorkerId ?? "",
        Stages = new StageTimes(
            QueueSeconds: o.IsAhead ? (now - o.QueuedAt).TotalSeconds : ((o.LeasedAt ?? now) - o.QueuedAt + o.WaitedThere).TotalSeconds,
            FetchSeconds: o is { IsAhead: false, LeasedAt: { } leased } ? ((o.StartedAt ?? now) - leased - o.WaitedThere).TotalSeconds : 0,
            RunSeconds: o.StartedAt is { } started ? (now - started).TotalSeconds : 0,
            UploadSeconds: 0),
        TotalSeconds = (now - o.QueuedAt).TotalSeconds,
    };

    public static ActionRow Row(CompletedExecution c, ExecuteResponse response) => Row(c.Id, c.Request) with
    {
        Done = true,
        Stage = "completed",
        StatusCode = (int)c.Outcome.Code,
        StatusName = c.Outcome.Code.ToString(),
        ExitCode = c.Outcome.ExitCode ?? 0,
        Cached = response.CachedResult,
        Worker = c.WorkerId ?? "",
        Stages = Times(c, response.Result?.ExecutionMetadata ?? new ExecutedActionMetadata()).Within((c.CompletedAt - c.QueuedAt).TotalSeconds),
        TotalSeconds = (c.CompletedAt - c.QueuedAt).TotalSeconds,
    };

    private static ActionRow Row(CompletedExecution c) => Row(c, ActionReader.Response(c));

    private static ActionRow Row(ExecutionId id, ExecutionRequest request) => new()
    {
        Id = id.ToString(),
        ActionDigest = request.Action.ToString(),
        Mnemonic = request.Origin.ActionMnemonic,
        Target = request.Origin.TargetId,
        CommandLine = request.CommandLine,
    };

    private static StageTimes Times(CompletedExecution c, ExecutedActionMetadata metadata) => new(
        QueueSeconds: ((c.LeasedAt ?? c.CompletedAt) - c.QueuedAt + c.WaitedThere).TotalSeconds,
        FetchSeconds: metadata.FetchTime()?.TotalSeconds ?? 0,
        RunSeconds: metadata.RunTime()?.TotalSeconds ?? 0,
        UploadSeconds: metadata.UploadTime()?.TotalSeconds ?? 0);
}
