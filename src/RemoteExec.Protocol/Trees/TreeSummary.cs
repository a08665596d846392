namespace RemoteExec.Protocol;

/// <summary>What a directory and all below it amount to. Everything counts as often as it would have to be created.</summary>
/// <param name="Entries">Files, links and directories, without this directory itself.</param>
/// <param name="Depth">Levels of directories, this one included.</param>
/// <param name="PathBytes">The longest path below, relative to this directory, in bytes of UTF-8.</param>
/// <param name="FileBytes">All files.</param>
public readonly record struct TreeSummary(long Entries, int Depth, int PathBytes, long FileBytes)
{
    public static TreeSummary Empty { get; } = new(Entries: 0, Depth: 1, PathBytes: 0, FileBytes: 0);
}
