using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// Reads the Directory messages of an input root, level by level so that one level's reads overlap, and expands
/// them into paths. Each distinct Directory is read once; the budgets count what it expands to.
/// </summary>
/// <remarks>REAPI E2: everything absent is reported together, so a level with misses does not end the walk.</remarks>
internal sealed class InputTreeWalk(BlobFetcher blobs, DirectoryCache cache, InputLimits limits)
{
    private const int PathBytesMax = 3500; // PATH_MAX is 4096, and the work directory has a path too

    // Reads of one level in flight.
    private const int ReadsMax = 16;

    public async ValueTask<InputTree> ReadAsync(Digest root, List<Digest> missing, CancellationToken cancellationToken)
    {
        var directories = new Dictionary<Digest, WireDirectory>();
        var level = new List<Digest> { root };
        for (int depth = 0; level.Count > 0; depth++)
        {
            if (depth > limits.DepthMax)
                throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the input tree is deeper than {limits.DepthMax} directories");
            await ReadLevelAsync(level, directories, missing, cancellationToken);
            level = NextLevel(level, directories, root.Function);
        }
        return Expand(root, directories);
    }

    private async ValueTask ReadLevelAsync(
        List<Digest> level, Dictionary<Digest, WireDirectory> directories, List<Digest> missing, CancellationToken cancellationToken)
    {
        var unread = new List<Digest>();
        foreach (var digest in level)
        {
            if (cache.Find(digest) is { } known) directories[digest] = known;
            else unread.Add(digest);
        }

        foreach (var batch in unread.Chunk(ReadsMax))
        {
            var reads = Array.ConvertAll(batch, digest => ReadDirectoryAsync(digest, cancellationToken).AsTask());
            var read = await Task.WhenAll(reads);
            for (int i = 0; i < batch.Length; i++)
            {
                if (read[i] is { } directory) directories[batch[i]] = directory;
                else missing.Add(batch[i]);
            }
        }
    }

    private async ValueTask<WireDirectory?> ReadDirectoryAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (digest.SizeBytes > limits.MessageBytesMax)
            throw RpcErrors.Invalid($"directory {digest} is larger than {limits.MessageBytesMax} bytes");
        if (await blobs.ReadAsync(digest, limits.MessageBytesMax, cancellationToken) is not { } bytes) return null;
        var directory = WireMessages.Parse(WireDirectory.Parser, bytes, digest);
        // TRUST 4.1: absolute link targets are refused; `..` resolves inside the action's private root.
        if (DirectoryChecks.Check(directory, digest.Function, allowAbsoluteSymlinks: false) is { } error)
            throw RpcErrors.Invalid($"directory {digest}: {error}");
        cache.Add(digest, directory);
        return directory;
    }

    private static List<Digest> NextLevel(List<Digest> level, Dictionary<Digest, WireDirectory> directories, DigestFunction function)
    {
        var next = new HashSet<Digest>();
        foreach (var digest in level)
        {
            if (!directories.TryGetValue(digest, out var directory)) continue;
            foreach (var child in directory.Directories)
            {
                var childDigest = WireDigests.FromWire(child.Digest, function, "directories.digest");
                if (!directories.ContainsKey(childDigest)) next.Add(childDigest);
            }
        }
        return [.. next];
    }

    private InputTree Expand(Digest root, Dictionary<Digest, WireDirectory> directories)
    {
        var tree = new InputTree();
        var pending = new Stack<(Digest Digest, string Path, int Depth)>();
        pending.Push((root, "", 0));
        while (pending.TryPop(out var next))
        {
            // Absent ones are in the caller's list of missing blobs already.
            if (!directories.TryGetValue(next.Digest, out var directory)) continue;
            if (next.Depth > limits.DepthMax)
                throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the input tree is deeper than {limits.DepthMax} directories");

            foreach (var file in directory.Files)
            {
                var digest = WireDigests.FromWire(file.Digest, root.Function, "files.digest");
                tree.Files.Add(new BlobLink(digest, file.IsExecutable, Join(next.Path, file.Name)));
                tree.FileBytes += digest.SizeBytes;
            }
            foreach (var link in directory.Symlinks)
                tree.Symlinks.Add(new InputSymlink(Join(next.Path, link.Name), link.Target));
            foreach (var child in directory.Directories)
            {
                string path = Join(next.Path, child.Name);
                tree.Directories.Add(path);
                pending.Push((WireDigests.FromWire(child.Digest, root.Function, "directories.digest"), path, next.Depth + 1));
            }
            KeepWithinBudget(tree);
        }
        return tree;
    }

    private void KeepWithinBudget(InputTree tree)
    {
        if (tree.Entries > limits.EntriesMax)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the input tree has more than {limits.EntriesMax} entries");
        if (tree.FileBytes > limits.BytesMax)
            throw RpcErrors.Of(StatusCode.ResourceExhausted, $"the input files are larger than {limits.BytesMax} bytes together");
    }

    private static string Join(string directory, string name)
    {
        string path = directory.Length == 0 ? name : $"{directory}/{name}";
        return path.Length <= PathBytesMax
            ? path
            : throw RpcErrors.Invalid($"the input path {Printable.Quote(path)} is longer than {PathBytesMax} characters");
    }
}
