namespace RemoteExec.Worker;

/// <summary>What an action left at a place, found by the survey and not read yet.</summary>
internal abstract class OutputNode;

/// <param name="path">Relative to the input root.</param>
internal sealed class OutputFileNode(string path, bool isExecutable, long sizeBytes) : OutputNode
{
    public string Path { get; } = path;

    public bool IsExecutable { get; } = isExecutable;

    public long SizeBytes { get; } = sizeBytes;

    /// <summary>Set once the content is in the store.</summary>
    public Digest Digest { get; set; }
}

internal sealed class OutputSymlinkNode(string target, bool leadsToDirectory) : OutputNode
{
    public string Target { get; } = target;

    /// <summary>As far as the link stays inside the root; a dangling one counts as a file.</summary>
    public bool LeadsToDirectory { get; } = leadsToDirectory;
}

internal sealed class OutputDirectoryNode : OutputNode
{
    /// <summary>In the order of the names' bytes, as Directory wants them.</summary>
    public List<(string Name, OutputNode Node)> Children { get; } = [];
}
