using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Storage;

/// <summary>
/// Everything that a result refers to: files, trees with all that is inside, stdout, stderr. A result is worth nothing unless
/// all of it is stored (REAPI A1, A3). One set of rules for who stores a result and for who is served one.
/// </summary>
/// <param name="memoryBytes">For what is inside of trees: a tree's content never changes, so it is read once and remembered under its digest.</param>
public sealed class ResultClosure(IBlobStore store, TreeLimits limits, long memoryBytes)
{
    // Weight of one digest in the memory of trees.
    private const int DigestBytes = 64;

    private readonly Core.SizedLru<(Digest Root, bool IsTree), Digest[]> _trees = new(memoryBytes);
    private readonly DirectoryWalk _directories = store.Walk(limits, DirectoryUse.Output);

    /// <summary>The strict answer, for a result that somebody wants to store.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a malformed digest, name or tree, RESOURCE_EXHAUSTED for a tree beyond the limits.</exception>
    public async ValueTask<ResultReferences> FindAsync(ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        List<Digest> digests = [], unread = [];
        foreach (var file in result.OutputFiles)
        {
            if (!WireDigests.TryFromWire(file.Digest, function, out var digest, out _))
                digest = WireDigests.FromWire(file.Digest, function, $"output_files[{file.Path}].digest"); // throws; the name is made for that alone
            digests.Add(digest);
        }

        if (result.StdoutDigest is not null) digests.Add(WireDigests.FromWire(result.StdoutDigest, function, "stdout_digest"));
        if (result.StderrDigest is not null) digests.Add(WireDigests.FromWire(result.StderrDigest, function, "stderr_digest"));
        foreach (var directory in result.OutputDirectories)
            await AddAsync(digests, unread, directory, function, cancellationToken);
        return new ResultReferences(digests, unread);
    }

    /// <summary>The lenient answer, for a result that is stored: null for one that cannot be told whole, whatever the reason.</summary>
    public async ValueTask<IReadOnlyList<Digest>?> TryFindAsync(ActionResult result, DigestFunction function, CancellationToken cancellationToken)
    {
        try
        {
            var references = await FindAsync(result, function, cancellationToken);
            return references.Unread.Count == 0 ? references.Digests : null;
        }
        catch (RpcException malformed) when (malformed.StatusCode is StatusCode.InvalidArgument or StatusCode.ResourceExhausted)
        {
            // It was stored by other rules than ours of today. As a miss it is repaired: the action runs again.
            return null;
        }
    }

    private async ValueTask AddAsync(
        List<Digest> digests, List<Digest> unread, OutputDirectory directory, DigestFunction function, CancellationToken cancellationToken)
    {
        string field = $"output_directories[{directory.Path}]";
        if (directory.TreeDigest is null && directory.RootDirectoryDigest is null)
            throw RpcErrors.InvalidField(field, $"{field} has neither a tree nor a root directory");

        if (directory.TreeDigest is not null)
        {
            var tree = WireDigests.FromWire(directory.TreeDigest, function, $"{field}.tree_digest");
            if (tree.SizeBytes > limits.TreeBytesMax) throw RpcErrors.Invalid($"{field}: the tree is larger than {limits.TreeBytesMax} bytes");
            await AddRememberedAsync(digests, unread, tree, isTree: true, cancellationToken);
        }

        // With a root digest the directories themselves are promised as blobs (REAPI X10).
        if (directory.RootDirectoryDigest is not null)
        {
            var root = WireDigests.FromWire(directory.RootDirectoryDigest, function, $"{field}.root_directory_digest");
            await AddRememberedAsync(digests, unread, root, isTree: false, cancellationToken);
        }
    }

    private async ValueTask AddRememberedAsync(
        List<Digest> digests, List<Digest> unread, Digest root, bool isTree, CancellationToken cancellationToken)
    {
        // The same bytes may be both, and mean different things.
        if (!_trees.TryGet((root, isTree), out var inside))
        {
            HashSet<Digest> found = [], roots = [];
            int unreadBefore = unread.Count;
            await (isTree ? AddTreeAsync(found, roots, unread, root, cancellationToken) : AddDirectoriesAsync(found, roots, unread, root, new TreeSums(limits), cancellationToken));
            // Trees last and their roots after all, and so evicted last: as long as they are there, it can be told what else belongs to the result.
            inside = [.. found.Where(digest => !roots.Contains(digest)), .. roots.Reverse()];
            if (unread.Count == unreadBefore) _trees.Set((root, isTree), inside, (inside.Length + 1) * DigestBytes);
        }

        digests.AddRange(inside);
    }

    private async ValueTask AddTreeAsync(
        HashSet<Digest> digests, HashSet<Digest> roots, List<Digest> unread, Digest digest, CancellationToken cancellationToken)
    {
        roots.Add(digest);
        if (await store.ReadAllAsync(digest, limits.TreeBytesMax, cancellationToken) is not { } blob)
        {
            unread.Add(digest);
            return;
        }

        var tree = TreeMessage.Parse(blob, digest);
        var sums = new TreeSums(limits);
        var lacking = new HashSet<Digest>();
        foreach (var (name, directory) in tree.Directories)
        {
            if (DirectoryChecks.CheckNames(directory) is { } error) throw RpcErrors.Invalid($"tree {digest}: {error}");
            AddFiles(digests, directory, digest.Function);
            Digest[] children = [.. directory.Directories.Select(child => WireDigests.FromWire(child.Digest, digest.Function, child.Name))];
            lacking.UnionWith(children.Where(child => !tree.Directories.ContainsKey(child)));
            sums.Add(new FoundDirectory(name, directory, children));
        }

        // A Tree has to have all its Directories; what one lacks, a client looks for in the store, and so do we.
        foreach (var child in lacking)
            await AddDirectoriesAsync(digests, roots, unread, child, sums, cancellationToken);
        // Few bytes describe more files than a disk holds (TRUST H7), and every client that is served this would write them.
        sums.Sum(tree.Root);
    }

    private async ValueTask AddDirectoriesAsync(
        HashSet<Digest> digests, HashSet<Digest> roots, List<Digest> unread, Digest root, TreeSums sums, CancellationToken cancellationToken)
    {
        await foreach (var found in _directories.DistinctAsync(root, isKnown: null, cancellationToken))
        {
            sums.Add(found);
            roots.Add(found.Digest);
            if (found.Message is { } directory) AddFiles(digests, directory, root.Function);
            else unread.Add(found.Digest);
        }

        sums.Sum(root);
    }

    private static void AddFiles(HashSet<Digest> digests, WireDirectory directory, DigestFunction function)
    {
        foreach (var file in directory.Files)
            digests.Add(WireDigests.FromWire(file.Digest, function, file.Name));
    }
}
