using Build.Bazel.Remote.Execution.V2;
using Digest = RemoteExec.Core.Digest;

namespace RemoteExec.Storage;

/// <summary>
/// Answers a result only if everything it refers to is in the blob store, asked for in one batch, which also extends
/// the lifetime of all of it: a client that builds without the bytes may come for them hours later (REAPI A1).
/// </summary>
public sealed class CompletenessCheckingActionCache(IActionCache inner, IBlobStore store) : IActionCache
{
    private const long TreeMemoryBytes = 16 << 20;

    private readonly ResultClosure _closure = new(store, new SizedLru<Digest, Digest[]>(TreeMemoryBytes));

    public async ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken)
    {
        var result = await inner.GetAsync(key, cancellationToken);
        string outcome = "miss";
        if (result is not null && !await IsCompleteAsync(result, key, cancellationToken))
        {
            // Not deleted: another build may bring the blobs back.
            result = null;
            outcome = "incomplete";
        }

        StorageMetrics.ActionCacheRequests.Add(1, StorageMetrics.Op("get"), StorageMetrics.Result(result is null ? outcome : "hit"));
        return result;
    }

    public async ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        await inner.PutAsync(key, result, cancellationToken);
        StorageMetrics.ActionCacheRequests.Add(1, StorageMetrics.Op("update"), StorageMetrics.Result("stored"));
    }

    private async ValueTask<bool> IsCompleteAsync(ActionResult result, ActionCacheKey key, CancellationToken cancellationToken)
    {
        var closure = await _closure.FindAsync(result, key.Action.Function, cancellationToken);
        return closure is not null && (await store.FindMissingAsync(closure, cancellationToken)).Count == 0;
    }
}
