namespace RemoteExec.Services;

/// <summary>
/// What one input tree may cost. A tree is a graph: sixty-four small directories can describe 2^64 paths, so
/// paths are counted apart from directories.
/// </summary>
public sealed record TreeBudget
{
    /// <summary>Distinct directories.</summary>
    public int DirectoriesMax { get; init; } = 200_000;

    /// <summary>Files, links and directories as the worker would have to create them.</summary>
    public long PathsMax { get; init; } = 2_000_000;

    /// <summary>Levels. PATH_MAX holds no more than 2047 names.</summary>
    public int DepthMax { get; init; } = 2047;

    /// <summary>One Directory blob: some hundred thousand entries at most.</summary>
    public int DirectoryBytesMax { get; init; } = 16 * 1024 * 1024;

    /// <summary>All Directory blobs of a tree together.</summary>
    public long TreeBytesMax { get; init; } = 256L * 1024 * 1024;
}
