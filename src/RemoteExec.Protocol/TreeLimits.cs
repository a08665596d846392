using RemoteExec.Protocol.V1;

namespace RemoteExec.Protocol;

/// <summary>
/// What one tree of directories may cost, as input or as output. A Merkle tree of a few blobs can describe 2^n paths, so what is
/// counted is the expanded tree (TRUST 4.1).
/// </summary>
public sealed record TreeLimits
{
    /// <summary>Files, directories and symbolic links together, expanded.</summary>
    public int EntriesMax { get; init; } = 1_000_000;

    /// <summary>Levels of directories.</summary>
    public int DepthMax { get; init; } = 256;

    /// <summary>A path from the root, in bytes of UTF-8. PATH_MAX is 4096, and the work directory has a path too.</summary>
    public int PathBytesMax { get; init; } = 3500;

    /// <summary>All files together.</summary>
    public long FileBytesMax { get; init; } = 256L << 30;

    /// <summary>One Directory blob: some hundred thousand entries.</summary>
    public int DirectoryBytesMax { get; init; } = 16 << 20;

    /// <summary>All Directory blobs of a tree together; also the largest Tree blob of an output.</summary>
    public int TreeBytesMax { get; init; } = 64 << 20;

    public CoordinatorLimits.Types.Tree ToWire() => new()
    {
        EntriesMax = EntriesMax,
        DepthMax = DepthMax,
        PathBytesMax = PathBytesMax,
        FileBytesMax = FileBytesMax,
        DirectoryBytesMax = DirectoryBytesMax,
        TreeBytesMax = TreeBytesMax,
    };

    public static TreeLimits FromWire(CoordinatorLimits.Types.Tree? wire)
    {
        var ours = Limits.Default.Tree;
        return wire is null ? ours : new TreeLimits
        {
            EntriesMax = Limits.Or(wire.EntriesMax, ours.EntriesMax),
            DepthMax = Limits.Or(wire.DepthMax, ours.DepthMax),
            PathBytesMax = Limits.Or(wire.PathBytesMax, ours.PathBytesMax),
            FileBytesMax = Limits.Or(wire.FileBytesMax, ours.FileBytesMax),
            DirectoryBytesMax = Limits.Or(wire.DirectoryBytesMax, ours.DirectoryBytesMax),
            TreeBytesMax = Limits.Or(wire.TreeBytesMax, ours.TreeBytesMax),
        };
    }
}
