using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// Reads the Directory messages of an input root, each distinct one once, sums what they describe by the rules of the
/// coordinator's door, and expands them into paths.
/// </summary>
/// <remarks>REAPI E2: everything absent is reported together, so a miss does not end the walk.</remarks>
internal sealed class InputTreeWalk(BlobFetcher blobs, Func<TreeLimits> limits)
{
    // Directories that were read and checked before: those of the last few hundred actions, so the trees of one build fit. Consecutive
    // actions share most of theirs, and reading two thousand small blobs again for each would cost more than linking the files.
    private readonly Core.SizedLru<Digest, WireDirectory> _known = new(sizeMax: 32 << 20);

    public async ValueTask<InputTree> ReadAsync(Digest root, List<Digest> missing, CancellationToken cancellationToken)
    {
        var directories = new Dictionary<Digest, WireDirectory>();
        var sums = new TreeSums(limits());
        await foreach (var found in new DirectoryWalk(ReadAsync, limits()).DistinctAsync(root, isKnown: null, cancellationToken))
        {
            sums.Add(found);
            if (found.Message is { } directory) directories[found.Digest] = directory;
            else missing.Add(found.Digest);
        }

        var sum = sums.Sum(root);
        return await ExpandAsync(root, sum, directories, cancellationToken);
    }

    private async ValueTask<WireDirectory?> ReadAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (_known.TryGet(digest, out var known)) return known;
        if (await blobs.ReadAsync(digest, limits().DirectoryBytesMax, cancellationToken) is not { } blob) return null;

        var directory = DirectoryBlob.Parse(blob, digest, DirectoryUse.Input, limits());
        // Parsed messages take about three times their wire size, mostly strings; an entry some 200 bytes.
        _known.Set(digest, directory, (3 * digest.SizeBytes) + 200);
        return directory;
    }

    private async ValueTask<InputTree> ExpandAsync(
        Digest root, TreeSummary sum, Dictionary<Digest, WireDirectory> directories, CancellationToken cancellationToken)
    {
        var tree = new InputTree { FileBytes = sum.FileBytes };
        var walk = new DirectoryWalk((digest, _) => ValueTask.FromResult(directories.GetValueOrDefault(digest)), limits());
        await foreach (var place in walk.ExpandAsync(root, cancellationToken))
        {
            // An absent one is in the list of missing blobs already.
            if (place.Message is not { } directory) continue;

            if (place.Path.Length > 0) tree.Directories.Add(place.Path);
            Add(tree, place.Path, FileKind.Directory, directory.NodeProperties);
            foreach (var file in directory.Files)
            {
                var digest = WireDigests.FromWire(file.Digest, root.Function, file.Name);
                string path = place.Join(file.Name);
                // A link has the rights and the time of the stored file, which are everybody's.
                bool isOwn = Add(tree, path, FileKind.Regular, file.NodeProperties);
                tree.Files.Add(new BlobLink(digest, file.IsExecutable, path) { IsCopy = isOwn });
            }
            foreach (var link in directory.Symlinks)
            {
                string path = place.Join(link.Name);
                tree.Symlinks.Add(new InputSymlink(path, link.Target));
                Add(tree, path, FileKind.Symlink, link.NodeProperties);
            }
        }
        return tree;
    }

    private static bool Add(InputTree tree, string path, FileKind kind, NodeProperties? wire)
    {
        if (InputAttributes.Of(path, kind, wire) is not { } attributes) return false;
        tree.Attributes.Add(attributes);
        return true;
    }
}
