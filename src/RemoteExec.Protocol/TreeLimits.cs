using RemoteExec.Protocol.V1;

namespace RemoteExec.Protocol;

/// <summary>
/// What one tree of directories may cost, as input or as output. A Merkle tree of a few blobs can describe 2^n paths, so what is
/// counted is the expanded tree (TRUST 4.1). The coordinator's door and the worker count by the same rules
/// (<see cref="DirectoryWalk"/>, <see cref="TreeSums"/>), so what is admitted can be made.
/// </summary>
public sealed record TreeLimits
{
    /// <summary>Files, directories and symbolic links together, expanded; the root is none of them.</summary>
    public int EntriesMax { get; init; } = 1_000_000;

    /// <summary>Levels of directories, the root included.</summary>
    public int DepthMax { get; init; } = 256;

    /// <summary>A path from the root, in bytes of UTF-8.</summary>
    public int PathBytesMax { get; init; } = ActionPath.ResolvedBytesMax;

    /// <summary>All files together, each as often as it has a path.</summary>
    public long FileBytesMax { get; init; } = 256L << 30;

    /// <summary>One Directory blob: some hundred thousand entries.</summary>
    public int DirectoryBytesMax { get; init; } = 16 << 20;

    /// <summary>Distinct Directories.</summary>
    public int DirectoriesMax { get; init; } = 200_000;

    /// <summary>All distinct Directory blobs of a tree together.</summary>
    public long DirectoriesBytesMax { get; init; } = 256L << 20;

    /// <summary>The Tree blob of an output. A folder of 100,000 files takes a tenth of it.</summary>
    public int TreeBytesMax { get; init; } = 64 << 20;

    /// <summary>Links to absolute paths are taken, as inputs and as outputs (REAPI E3, X9). They lead into an action's own root, and out of the folder of a client.</summary>
    public bool AllowsAbsoluteSymlinks { get; init; }

    public CoordinatorLimits.Types.Tree ToWire() => new()
    {
        EntriesMax = EntriesMax,
        DepthMax = DepthMax,
        PathBytesMax = PathBytesMax,
        FileBytesMax = FileBytesMax,
        DirectoryBytesMax = DirectoryBytesMax,
        DirectoriesMax = DirectoriesMax,
        DirectoriesBytesMax = DirectoriesBytesMax,
        TreeBytesMax = TreeBytesMax,
        AbsoluteSymlinks = AllowsAbsoluteSymlinks,
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
            DirectoriesMax = Limits.Or(wire.DirectoriesMax, ours.DirectoriesMax),
            DirectoriesBytesMax = Limits.Or(wire.DirectoriesBytesMax, ours.DirectoriesBytesMax),
            TreeBytesMax = Limits.Or(wire.TreeBytesMax, ours.TreeBytesMax),
            AllowsAbsoluteSymlinks = wire.AbsoluteSymlinks,
        };
    }
}
