using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Stores the results of executions. It runs between the journal and the waiters (Scheduler's completion hook), so that whoever
/// is told of a result finds it in the cache.
/// </summary>
public sealed class ActionCacheWriter(IActionCache cache, IBlobStore store, ServicesOptions options)
{
    private readonly Inlining _inlining = new(store, options);

    public async ValueTask OnCompletedAsync(CompletedExecution completed, CancellationToken cancellationToken)
    {
        var written = completed.Outcome.Written?.Take() as ExecuteResponse;
        // REAPI A7; decided where the report was read.
        if (!completed.Outcome.IsCacheWorthy) return;

        // Ours to change: its bytes have been made. Whoever made the outcome may have had nothing but bytes.
        var result = (written ?? ExecuteResponse.Parser.ParseFrom(completed.Outcome.Response.Span)).Result;
        await _inlining.StripAsync(result, completed.Request.Action.Function, cancellationToken);
        await cache.PutAsync(new ActionCacheKey(completed.Request.Instance, completed.Request.Action), result, cancellationToken);
    }
}
