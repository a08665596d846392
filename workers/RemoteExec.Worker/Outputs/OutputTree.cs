using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using RemoteExec.Protocol;

namespace RemoteExec.Worker;

/// <summary>
/// A directory output as the protocol's Tree: equal directories give equal bytes, every distinct Directory
/// stands in it once, parents before children (REAPI X11, Tree and OutputDirectory.is_topologically_sorted).
/// </summary>
internal sealed class OutputTree(CommandSpec command, DigestFunction function)
{
    private readonly Dictionary<Digest, byte[]> _seen = [];
    private readonly List<(Digest Digest, byte[] Bytes)> _childrenFirst = [];

    public Digest RootDigest { get; private set; }

    public byte[] TreeBytes { get; private set; } = [];

    public Digest TreeDigest { get; private set; }

    /// <summary>Every distinct Directory, for clients that asked for them as blobs of their own.</summary>
    public IReadOnlyList<(Digest Digest, byte[] Bytes)> Directories => _childrenFirst;

    /// <summary>All files below have their digests already.</summary>
    public static OutputTree Build(OutputDirectoryNode directory, CommandSpec command, DigestFunction function)
    {
        var tree = new OutputTree(command, function);
        tree.RootDigest = tree.Add(directory);
        tree.TreeBytes = tree.Serialise();
        tree.TreeDigest = Digest.Of(function, tree.TreeBytes);
        return tree;
    }

    /// <summary>
    /// What makes it larger than the coordinator takes, or null. Told here it is the action's failure; a report of it would be
    /// refused, and look like a fault of this worker.
    /// </summary>
    /// <param name="asDirectories">Its Directories are blobs of their own as well, and will be walked.</param>
    public string? FindExcess(TreeLimits limits, bool asDirectories)
    {
        if (TreeBytes.Length > limits.TreeBytesMax) return $"lists more than a Tree of {limits.TreeBytesMax} bytes can hold";
        if (!asDirectories) return null;
        if (_childrenFirst.Count > limits.DirectoriesMax) return $"has more than {limits.DirectoriesMax} different directories";
        if (_childrenFirst.Any(directory => directory.Bytes.Length > limits.DirectoryBytesMax))
            return $"has a directory that lists more than a Directory of {limits.DirectoryBytesMax} bytes can hold";
        return _childrenFirst.Sum(directory => (long)directory.Bytes.Length) > limits.DirectoriesBytesMax
            ? $"has directories of more than {limits.DirectoriesBytesMax} bytes together"
            : null;
    }

    private Digest Add(OutputDirectoryNode node)
    {
        var message = new WireDirectory { NodeProperties = node.Attributes.ToWire(command) };
        foreach (var (name, child) in node.Children)
        {
            switch (child)
            {
                case OutputFileNode file:
                    message.Files.Add(new FileNode
                    {
                        Name = name, Digest = file.Digest.ToWire(), IsExecutable = file.IsExecutable, NodeProperties = file.Attributes.ToWire(command),
                    });
                    break;
                case OutputSymlinkNode link:
                    message.Symlinks.Add(new SymlinkNode { Name = name, Target = link.Target, NodeProperties = link.Attributes.ToWire(command) });
                    break;
                case OutputDirectoryNode directory:
                    message.Directories.Add(new DirectoryNode { Name = name, Digest = Add(directory).ToWire() });
                    break;
            }
        }

        byte[] bytes = message.ToByteArray();
        var digest = Digest.Of(function, bytes);
        // Children are complete before their parent is added, so the list is a post-order: read backwards it
        // has every parent before all of its children, even when one child has several parents.
        if (_seen.TryAdd(digest, bytes)) _childrenFirst.Add((digest, bytes));
        return digest;
    }

    /// <summary>
    /// Written as records so that the root and each child keep the very bytes their digests were made of:
    /// <c>0a len root · 12 len child · 12 len child …</c>
    /// </summary>
    private byte[] Serialise()
    {
        const uint rootTag = 0x0a, childrenTag = 0x12;
        using var buffer = new MemoryStream();
        using (var output = new CodedOutputStream(buffer, leaveOpen: true))
        {
            for (int i = _childrenFirst.Count - 1; i >= 0; i--)
            {
                byte[] bytes = _childrenFirst[i].Bytes;
                output.WriteTag(i == _childrenFirst.Count - 1 ? rootTag : childrenTag);
                output.WriteLength(bytes.Length);
                output.Flush();
                buffer.Write(bytes);
            }
        }
        return buffer.ToArray();
    }
}
