using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>What has to hold of a result before anybody is told of it: paths that outputs can have, and all that it refers to stored.</summary>
internal sealed class ResultOutputs(IBlobStore store, ServicesOptions options)
{
    private readonly ResultPaths _paths = new(store);

    // No memory: a tree that is reported is new.
    private readonly ResultClosure _closure = new(store, options.Limits.Tree, memoryBytes: 0);

    /// <summary>What is not stored of <paramref name="action"/>'s result, nothing for one that may be announced; and all that it refers to, which is promised at once.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT for a malformed digest, path or tree.</exception>
    public async ValueTask<(IReadOnlyList<Digest> Missing, IReadOnlyList<Digest> All)> FindAsync(
        ActionResult result, Digest action, PromiseKind kind, CancellationToken cancellationToken)
    {
        await _paths.CheckAsync(result, action, cancellationToken);

        var (digests, unread) = await _closure.FindAsync(result, action.Function, cancellationToken);
        var missing = digests.Count == 0 ? [] : await store.FindMissingAsync([.. digests.Distinct()], kind, cancellationToken);
        // What could not be read may have come meanwhile: what hangs below it is still unknown.
        return (unread.Count == 0 ? missing : [.. unread.Union(missing)], digests);
    }

    /// <summary>The result was found whole, and <paramref name="logs"/> have become blobs since: all of it is promised once more, at once, and so is evicted at once.</summary>
    public async ValueTask JoinAsync(IReadOnlyList<Digest> all, IReadOnlyList<Digest> logs, PromiseKind kind, CancellationToken cancellationToken)
    {
        if (logs.Count > 0) await store.FindMissingAsync([.. logs.Union(all)], kind, cancellationToken);
    }
}
