using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Stores the results of executions, and what went wrong with those that were given up. It runs between the journal and the waiters (Scheduler's completion hook), so that whoever
/// is told of a result finds it in the cache.
/// </summary>
/// <param name="producers">Learns what was made by which action; null where lost inputs are not made again.</param>
public sealed class ActionCacheWriter(IActionCache cache, IBlobStore store, ServicesOptions options, ProducerTable? producers = null)
{
    private readonly Inlining _inlining = new(store, options);

    // No memory: a result is learnt from once.
    private readonly ResultClosure _closure = new(store, options.Limits.Tree, memoryBytes: 0);

    public async ValueTask OnCompletedAsync(CompletedExecution completed, CancellationToken cancellationToken)
    {
        var written = completed.Outcome.Written?.Take() as WrittenResponse;
        await FaultLog.StoreAsync(completed, store, cancellationToken);
        // REAPI A7; decided where the report was read.
        if (!completed.Outcome.IsCacheWorthy) return;

        // Ours to change: its bytes have been made. Whoever made the outcome may have had nothing but bytes.
        var result = (written?.Response ?? ExecuteResponse.Parser.ParseFrom(completed.Outcome.Response.Span)).Result;
        await _inlining.StripAsync(result, completed.Request.Action.Function, cancellationToken);
        await cache.PutAsync(new ActionCacheKey(completed.Request.Instance, completed.Request.Action), result, cancellationToken);
        if (producers is not null) await LearnAsync(producers, completed.Request, result, written?.Outputs, cancellationToken);
    }

    private async ValueTask LearnAsync(
        ProducerTable producers, ExecutionRequest request, ActionResult result, IReadOnlyList<Digest>? outputs, CancellationToken cancellationToken)
    {
        var function = request.Action.Function;
        outputs ??= await _closure.TryFindAsync(result, function, cancellationToken) ?? [];
        // The logs have become blobs since.
        var logs = new[] { result.StdoutDigest, result.StderrDigest }
            .Select(log => WireDigests.TryFromWire(log, function, out var digest, out _) ? digest : default)
            .Where(digest => digest != default);
        producers.Learn(request.Instance, request.Action, outputs.Concat(logs));
    }
}
