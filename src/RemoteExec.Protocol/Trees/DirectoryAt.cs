namespace RemoteExec.Protocol;

/// <summary>One directory of an expanded tree.</summary>
/// <param name="Path">From the root, without a slash at either end; empty for the root.</param>
/// <param name="Message">Null when it is absent.</param>
public readonly record struct DirectoryAt(string Path, WireDirectory? Message)
{
    /// <summary>The path of an entry of this directory.</summary>
    public string Join(string name) => Path.Length == 0 ? name : $"{Path}/{name}";
}
