using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>
/// Answers a result only if everything it refers to is in the blob store, asked for in one batch, which also extends
/// the lifetime of all of it: a client that builds without the bytes may come for them hours later (REAPI A1).
/// </summary>
public sealed class CompletenessCheckingActionCache(IActionCache inner, IBlobStore store, IActionCacheObserver? observer = null) : IActionCache
{
    private const long TreeMemoryBytes = 16 << 20;

    private readonly GuardedActionCacheObserver _observer = new(observer);
    private readonly ResultClosure _closure = new(store, new TreeLimits(), TreeMemoryBytes);

    public async ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken)
    {
        var result = await inner.GetAsync(key, cancellationToken);
        if (result is null)
        {
            _observer.Missed();
            return null;
        }

        var closure = await _closure.TryFindAsync(result, key.Action.Function, cancellationToken);
        if (closure is null || (await store.FindMissingAsync(closure, PromiseKind.Hit, cancellationToken)).Count > 0)
        {
            // Not deleted: another build may bring the blobs back.
            _observer.FoundIncomplete();
            return null;
        }

        _observer.Hit();
        return result;
    }

    public async ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        await inner.PutAsync(key, result, cancellationToken);
        _observer.Stored();
    }
}
