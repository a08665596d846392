using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Storage;

namespace RemoteExec.Assets;

/// <summary>
/// Whether all that belongs to known content is stored: the blob, or every Directory and file of the tree, and what it refers to. Asking is what
/// keeps it (DESIGN D4).
/// </summary>
internal sealed class AssetContent(IBlobStore store)
{
    private const long TreeMemoryBytes = 4 << 20;

    private readonly ResultClosure _closure = new(store, new TreeLimits(), TreeMemoryBytes);

    public async ValueTask<bool> IsCompleteAsync(KnownAsset asset, CancellationToken cancellationToken)
    {
        if (!DigestFunctions.TryFromNumber((int)asset.DigestFunction, out var function)) return false;
        return await _closure.TryFindAsync(ResultOf(asset), function, cancellationToken) is { } digests
            && (await store.FindMissingAsync(digests, cancellationToken)).Count == 0;
    }

    /// <summary>What somebody wants to be known.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT for what cannot be, FAILED_PRECONDITION with what is not stored.</exception>
    public async ValueTask CheckAsync(KnownAsset asset, DigestFunction function, CancellationToken cancellationToken)
    {
        var references = await _closure.FindAsync(ResultOf(asset), function, cancellationToken);
        var missing = await store.FindMissingAsync(references.Digests, cancellationToken);
        if (references.Unread.Count + missing.Count > 0) throw RpcErrors.MissingBlobs(references.Unread.Union(missing));
    }

    // A result's closure has the same parts under other names.
    private static ActionResult ResultOf(KnownAsset asset)
    {
        var result = new ActionResult();
        foreach (var blob in asset.ReferencesBlobs) AddBlob(result, blob);
        foreach (var directory in asset.ReferencesDirectories) AddDirectory(result, directory);
        if (asset.IsDirectory) AddDirectory(result, asset.Digest);
        else AddBlob(result, asset.Digest);
        return result;
    }

    private static void AddBlob(ActionResult result, WireDigest digest) => result.OutputFiles.Add(new OutputFile { Digest = digest });

    private static void AddDirectory(ActionResult result, WireDigest digest) => result.OutputDirectories.Add(new OutputDirectory { RootDirectoryDigest = digest });
}
