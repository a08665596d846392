using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Storage;

/// <summary>Results of actions, by instance name and action digest.</summary>
public interface IActionCache
{
    /// <summary>The stored result, which is the caller's own copy; null is a miss.</summary>
    ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken);

    /// <summary>Stores or replaces a result. Whether it deserves to be cached is the caller's decision.</summary>
    ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken);
}
