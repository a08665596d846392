using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>What has to hold of a result before anybody is told of it: paths that outputs can have, and all that it refers to stored.</summary>
internal sealed class ResultOutputs(IBlobStore store, ServicesOptions options)
{
    private readonly ResultPaths _paths = new(store);

    // No memory: a tree that is reported is new.
    private readonly ResultClosure _closure = new(store, options.Limits.Tree, memoryBytes: 0);

    /// <summary>What is not stored of <paramref name="action"/>'s result; empty for one that may be announced.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT for a malformed digest, path or tree.</exception>
    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(ActionResult result, Digest action, CancellationToken cancellationToken) =>
        (await FindAsync(result, action, cancellationToken)).Missing;

    /// <summary>The same, and all that the result refers to.</summary>
    /// <inheritdoc cref="FindMissingAsync" path="/exception"/>
    public async ValueTask<(IReadOnlyList<Digest> Missing, IReadOnlyList<Digest> All)> FindAsync(
        ActionResult result, Digest action, CancellationToken cancellationToken)
    {
        await _paths.CheckAsync(result, action, cancellationToken);

        var (digests, unread) = await _closure.FindAsync(result, action.Function, cancellationToken);
        var missing = digests.Count == 0 ? [] : await store.FindMissingAsync([.. digests.Distinct()], cancellationToken);
        // What could not be read may have come meanwhile: what hangs below it is still unknown.
        return (unread.Count == 0 ? missing : [.. unread.Union(missing)], digests);
    }
}
