using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using ActionResult = Build.Bazel.Remote.Execution.V2.ActionResult;

namespace RemoteExec.Web;

/// <summary>
/// The cache's paths have hashes without sizes, and here a digest has both. So what a hash belongs to is kept in the action cache, which is
/// durable, bounded, and answers only what is stored: as a result whose standard output is the blob. The sizes in its keys are such that no
/// Action has, which is longer than the hash in it: they keep the two kinds and what came over gRPC apart.
/// </summary>
/// <param name="results">Answers complete results only, and counts nobody's hits.</param>
internal sealed class HashSizes(IActionCache results, IBlobStore store)
{
    private const long ResultMark = 1;
    private const long BlobMark = 2;
    private const long TreeMemoryBytes = 4 << 20;

    private readonly ResultClosure _closure = new(store, new TreeLimits(), TreeMemoryBytes);

    /// <summary>What a result over HTTP is kept under.</summary>
    public static ActionCacheKey KeyOf(in HttpCacheName name) => KeyOf(name.Instance, name.Function, name.Hash, ResultMark);

    /// <summary>The blob that has the hash; null when none is stored.</summary>
    public async ValueTask<Digest?> FindAsync(HttpCacheName name, CancellationToken cancellationToken)
    {
        var empty = Digest.Empty(name.Function);
        if (name.Hash == empty.Hash) return empty;

        var result = await results.GetAsync(KeyOf(InstanceName.Empty, name.Function, name.Hash, BlobMark), cancellationToken);
        return WireDigests.TryFromWire(result?.StdoutDigest, name.Function, out var digest, out _) ? digest : null;
    }

    /// <summary>After the blob is stored. Blobs are the same in every instance.</summary>
    public async ValueTask RememberAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (!digest.IsEmpty)
            await results.PutAsync(KeyOf(InstanceName.Empty, digest.Function, digest.Hash, BlobMark), new ActionResult { StdoutDigest = digest.ToWire() }, cancellationToken);
    }

    /// <summary>Who is told of a result comes for what is in it, by hash: also for what came here over gRPC, or was forgotten.</summary>
    public async ValueTask RememberAllAsync(ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        foreach (var digest in (await _closure.TryFindAsync(result, function, cancellationToken) ?? []).Distinct())
        {
            var key = KeyOf(InstanceName.Empty, function, digest.Hash, BlobMark);
            if (!digest.IsEmpty && await results.GetAsync(key, cancellationToken) is null) await RememberAsync(digest, cancellationToken);
        }
    }

    private static ActionCacheKey KeyOf(InstanceName instance, DigestFunction function, string hash, long mark) =>
        new(instance, Digest.FromHash(function, Convert.FromHexString(hash), mark));
}
