using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Checks that an input tree is whole before its action is queued (REAPI E1, E2), and that a worker can make it: every directory is
/// read and held against its canonical form, every file is looked for, all in one question to the store. Everything missing
/// is found at once, because each answer costs the client a round of uploads.
/// </summary>
internal sealed class InputTrees(IBlobStore store, ServicesOptions options, TimeProvider clock)
{
    private readonly CompleteTreeMemory _memory = new(options.CompleteTreeMemory, clock);
    private readonly DirectoryWalk _walk = store.Walk(options.Limits.Tree, DirectoryUse.Input);

    /// <summary>
    /// The blobs that the tree lacks, directories and files; empty when it is whole. What hangs below
    /// an absent directory cannot be known yet.
    /// </summary>
    /// <param name="trustsMemory">False where something was found missing that should be there: all is looked at.</param>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a tree that cannot be, RESOURCE_EXHAUSTED beyond the limits.</exception>
    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(Digest root, bool trustsMemory, CancellationToken cancellationToken)
    {
        // Every action without inputs, and the second and all further actions with these.
        if (root.IsEmpty || (trustsMemory && _memory.TryGet(root, out _))) return [];

        long seenAt = clock.GetTimestamp();
        var sums = new TreeSums(options.Limits.Tree);
        var missing = new List<Digest>();
        var files = new HashSet<Digest>();
        await foreach (var found in _walk.DistinctAsync(root, child => IsKnown(child, trustsMemory, sums), cancellationToken))
        {
            sums.Add(found);
            if (found.Message is not { } directory) missing.Add(found.Digest);
            else foreach (var file in directory.Files) files.Add(WireDigests.FromWire(file.Digest, root.Function, file.Name));
        }

        // Also when something is missing: a client need not upload what will be refused.
        sums.Sum(root);
        var missingFiles = files.Count == 0 ? [] : await store.FindMissingAsync([.. files], cancellationToken);
        if (missing.Count == 0 && missingFiles.Count == 0) _memory.Add(sums.Summaries, seenAt);
        else if (!trustsMemory) _memory.Forget(sums.Summaries.Keys);
        // A directory's blob may also stand among the files.
        return missing.Count == 0 ? missingFiles : [.. missing.Union(missingFiles)];
    }

    /// <summary>What an absent blob is in a tree, in words, with one of its paths. The tree is walked once more for it: few are not whole.</summary>
    public async ValueTask<string> DescribeAsync(Digest root, Digest missing, CancellationToken cancellationToken)
    {
        if (missing == root) return "the input root";

        var wire = missing.ToWire();
        var places = new Dictionary<Digest, string> { [root] = "" };
        await foreach (var found in _walk.DistinctAsync(root, child => _memory.TryGet(child, out _), cancellationToken))
        {
            if (found.Message is not { } directory) continue;

            string place = places[found.Digest];
            if (directory.Files.FirstOrDefault(file => file.Digest.Equals(wire)) is { } lost) return $"the input file {place}{lost.Name}";
            for (int i = 0; i < found.Children.Count; i++)
            {
                string path = $"{place}{directory.Directories[i].Name}";
                if (found.Children[i] == missing) return $"the input directory {path}";
                places.TryAdd(found.Children[i], path + "/");
            }
        }

        return "an input"; // it came meanwhile
    }

    /// <summary>
    /// Whether a directory of that path exists in a whole tree (REAPI X4). A link on the way may lead anywhere, so it gets
    /// the benefit of the doubt.
    /// </summary>
    public async ValueTask<bool> HasDirectoryAsync(Digest root, string path, CancellationToken cancellationToken)
    {
        var current = root;
        foreach (string name in path.Length == 0 ? [] : path.Split('/'))
        {
            if (current.IsEmpty) return false;
            if (await store.ReadDirectoryAsync(current, options.Limits.Tree, DirectoryUse.Input, cancellationToken) is not { } directory) return false;
            if (directory.Symlinks.Any(link => link.Name == name)) return true;

            var child = directory.Directories.FirstOrDefault(node => node.Name == name);
            if (child is null) return false;
            current = WireDigests.FromWire(child.Digest, root.Function, name);
        }

        return true;
    }

    private bool IsKnown(Digest directory, bool trustsMemory, TreeSums sums)
    {
        // The empty directory exists like every empty blob; a remembered one needs no look.
        if (directory.IsEmpty) return true;
        if (!trustsMemory || !_memory.TryGet(directory, out var summary)) return false;
        sums.Know(directory, summary);
        return true;
    }
}
