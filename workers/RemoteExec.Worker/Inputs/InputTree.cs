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

    /// <summary>What some of them have beside their content, the root with an empty path.</summary>
    public List<InputAttributes> Attributes { get; } = [];

    public required long FileBytes { get; init; }

    /// <summary>What a blob is in this tree, in words; below an absent directory nothing is known.</summary>
    public string Describe(Digest digest)
    {
        int index = Files.FindIndex(file => file.Digest == digest);
        return index < 0 ? "an input directory" : $"the input file {Files[index].Path}";
    }
}

internal readonly record struct InputSymlink(string Path, string Target);
