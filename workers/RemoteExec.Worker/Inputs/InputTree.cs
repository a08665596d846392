using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// A whole input root, expanded and within its limits. Paths are relative to the root, with `/`, and parents
/// come before what they hold.
/// </summary>
internal sealed class InputTree
{
    public List<string> Directories { get; } = [];

    /// <summary>Files by their path relative to the root.</summary>
    public List<BlobLink> Files { get; } = [];

    public List<InputSymlink> Symlinks { get; } = [];

    public required long FileBytes { get; init; }
}

internal readonly record struct InputSymlink(string Path, string Target);
