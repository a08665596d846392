using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>
/// A folder that a store has, whole: a Directory with what hangs below it, as <c>put</c> names it, or a Tree, as results do. That a
/// blob is one of them is read from its bytes: a file that is by accident a canonical Directory does not occur.
/// </summary>
public sealed class StoredFolder
{
    // Paths are for the file system to refuse that they are written to. But not without a bound: what is listed repeats them in each line, and no path of
    // more levels fits into the 4,096 bytes that Linux takes (PATH_MAX).
    internal static readonly TreeLimits Limits = new() { DepthMax = 2048, PathBytesMax = int.MaxValue };

    // The first byte of a Directory (files, directories, symlinks, node_properties); a Tree begins with its root, like files.
    private static readonly byte[] FirstBytes = [0x0A, 0x12, 0x1A, 0x2A];

    private StoredFolder(Digest root, IReadOnlyDictionary<Digest, WireDirectory> directories) => (Root, Directories) = (root, directories);

    public Digest Root { get; }

    public IReadOnlyDictionary<Digest, WireDirectory> Directories { get; }

    /// <summary>Every directory with its path, parents first.</summary>
    public DirectoryWalk Walk => new((digest, _) => ValueTask.FromResult(Directories.GetValueOrDefault(digest)), Limits);

    /// <summary>Null when the blob is absent or no folder; the empty blob is a folder without anything in it.</summary>
    /// <exception cref="RpcException">NOT_FOUND when a part of the folder is no longer stored.</exception>
    public static async ValueTask<StoredFolder?> TryOpenAsync(IBlobStore blobs, Digest digest, CancellationToken cancellationToken)
    {
        if (digest.SizeBytes > Limits.TreeBytesMax || !await MayBeFolderAsync(blobs, digest, cancellationToken)) return null;
        if (await blobs.ReadAllAsync(digest, Limits.TreeBytesMax, cancellationToken) is not { } bytes) return null;
        if (IsDirectory(bytes, digest))
            return await OpenAsync(digest, blobs.Walk(Limits, DirectoryUse.Output), cancellationToken);
        return bytes.Span[0] == FirstBytes[0] && AsTree(bytes, digest) is { } tree ? await OpenAsync(tree.Root, tree.Walk, cancellationToken) : null;
    }

    /// <summary>The directory at a path; null when it is not one.</summary>
    public (Digest Digest, WireDirectory Message)? Find(string path)
    {
        var place = Root;
        foreach (string name in path.Split('/', StringSplitOptions.RemoveEmptyEntries).Where(name => name != "."))
        {
            if (Directories[place].Directories.FirstOrDefault(child => child.Name == name) is not { } child) return null;
            place = WireDigests.FromWire(child.Digest, Root.Function, name);
        }

        return (place, Directories[place]);
    }

    private static async ValueTask<bool> MayBeFolderAsync(IBlobStore blobs, Digest digest, CancellationToken cancellationToken)
    {
        if (digest.IsEmpty) return true;
        await using var reader = await blobs.OpenReadAsync(digest, offset: 0, cancellationToken);
        if (reader is null) return false;
        byte[] first = new byte[1];
        return await reader.ReadAsync(first, cancellationToken) == 1 && FirstBytes.Contains(first[0]);
    }

    private static async ValueTask<StoredFolder> OpenAsync(Digest root, DirectoryWalk walk, CancellationToken cancellationToken)
    {
        var directories = new Dictionary<Digest, WireDirectory>();
        var sums = new TreeSums(Limits);
        await foreach (var found in walk.DistinctAsync(root, isKnown: null, cancellationToken))
        {
            directories[found.Digest] = found.Message
                ?? throw new RpcException(new Status(StatusCode.NotFound, $"the folder {found.Digest}, a part of {root}, is not stored there"));
            sums.Add(found);
        }

        sums.Sum(root); // refuses what no disk holds, before anything is written
        return new StoredFolder(root, directories);
    }

    private static bool IsDirectory(ReadOnlyMemory<byte> bytes, Digest digest) => Reads(() => DirectoryBlob.Parse(bytes, digest, DirectoryUse.Output, Limits));

    private static (Digest Root, DirectoryWalk Walk)? AsTree(ReadOnlyMemory<byte> bytes, Digest digest)
    {
        TreeMessage? tree = null;
        bool isTree = Reads(() =>
        {
            tree = TreeMessage.Parse(bytes, digest);
            foreach (var directory in tree.Directories.Values)
            {
                if (DirectoryChecks.Check(directory, digest.Function, allowAbsoluteSymlinks: true) is { } error) throw RpcErrors.Invalid(error);
            }
        });
        return isTree && tree is not null
            ? (tree.Root, new DirectoryWalk((child, _) => ValueTask.FromResult(tree.Directories.GetValueOrDefault(child)), Limits))
            : null;
    }

    private static bool Reads(Action read)
    {
        try
        {
            read();
            return true;
        }
        catch (RpcException other) when (other.StatusCode == StatusCode.InvalidArgument)
        {
            return false; // It is something else, and that is an answer.
        }
    }
}
