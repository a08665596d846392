using System.Runtime.CompilerServices;
using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Observability;
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
        return new StatusView(
            sources.Version,
            (now - sources.Health.StartedAt).TotalSeconds,
            sources.Health.IsReady,
            sources.Health.Phase == ServerPhase.Draining,
            sources.Health.Fault ?? "",
            sources.GrpcAddress,
            queue.Queued,
            queue.Leased + queue.Running,
            totals.Executions,
            totals.CacheHits,
            totals.CacheMisses,
            new StorageView(storage.UsedBytes, storage.LimitBytes, storage.Blobs),
            [.. queue.Platforms.Where(p => p.Queued + p.Leased + p.Running > 0).Select(p => View(p, now))],
            [.. queue.Workers.Select(View)],
            Actions(now));
    }

    private IReadOnlyList<ActionRow> Actions(DateTimeOffset now)
    {
        var live = sources.LiveOperations(ActionsMax).DistinctBy(o => o.Execution).Select(o => Row(o, now));
        var finished = sources.History.Newest(ActionsMax).Select(c => _rows.GetValue(c, Row));
        return [.. live.Concat(finished).DistinctBy(a => a.Id).Take(ActionsMax)];
    }

    private static QueueView View(PlatformSnapshot p, DateTimeOffset now) => new(
        p.Pool, p.Platform.ToString(), p.Queued, p.Leased + p.Running,
        p.OldestQueuedAt is { } oldest ? Math.Max(0, (now - oldest).TotalSeconds) : 0);

    private static WorkerView View(WorkerSnapshot w) => new(
        w.Description.Id, w.Description.Pool, w.State.ToString().ToLowerInvariant(), w.Description.Slots, w.SlotsUsed, w.Description.Version,
        [.. w.Description.Properties.Properties.Select(p => $"{p.Name}={p.Value}")],
        [.. w.Description.Walls.Select(wall => new WallView(wall.Name, wall.IsEnforced, wall.Reason))]);

    /// <summary>An execution that has not ended.</summary>
    public static ActionRow Row(OperationSnapshot o, DateTimeOffset now) => new(
        o.Execution.ToString(), o.Request.Action.ToString(), o.Request.Origin.ActionMnemonic, o.Request.Origin.TargetId, o.Request.CommandLine,
        Done: false, o.Stage.ToString().ToLowerInvariant(), 0, "", 0, Cached: false, o.WorkerId ?? "",
        new StageTimes(
            ((o.LeasedAt ?? now) - o.QueuedAt).TotalSeconds,
            o.LeasedAt is { } leased ? ((o.StartedAt ?? now) - leased).TotalSeconds : 0,
            o.StartedAt is { } started ? (now - started).TotalSeconds : 0,
            0),
        (now - o.QueuedAt).TotalSeconds);

    public static ActionRow Row(CompletedExecution c) => Row(c, ActionReader.Response(c));

    public static ActionRow Row(CompletedExecution c, ExecuteResponse response) => new(
        c.Id.ToString(), c.Request.Action.ToString(), c.Request.Origin.ActionMnemonic, c.Request.Origin.TargetId, c.Request.CommandLine,
        Done: true, "completed", (int)c.Outcome.Code, c.Outcome.Code.ToString(), c.Outcome.ExitCode ?? 0, response.CachedResult, c.WorkerId ?? "",
        Times(c, response.Result?.ExecutionMetadata),
        (c.CompletedAt - c.QueuedAt).TotalSeconds);

    private static StageTimes Times(CompletedExecution c, ExecutedActionMetadata? m) => new(
        ((c.LeasedAt ?? c.CompletedAt) - c.QueuedAt).TotalSeconds,
        Between(m?.InputFetchStartTimestamp, m?.InputFetchCompletedTimestamp),
        Between(m?.ExecutionStartTimestamp, m?.ExecutionCompletedTimestamp),
        Between(m?.OutputUploadStartTimestamp, m?.OutputUploadCompletedTimestamp));

    private static double Between(Google.Protobuf.WellKnownTypes.Timestamp? start, Google.Protobuf.WellKnownTypes.Timestamp? end) =>
        start is null || end is null ? 0 : Math.Max(0, (end - start).ToTimeSpan().TotalSeconds);
}
