namespace RemoteExec.Worker;

/// <summary>What an action left at a place, found by the survey and not read yet.</summary>
internal abstract record OutputNode;

/// <param name="Path">Relative to the input root.</param>
internal sealed record OutputFileNode(string Path, bool IsExecutable, long SizeBytes) : OutputNode
{
    /// <summary>Set once the content is in the store.</summary>
    public Digest Digest { get; set; }
}

/// <param name="LeadsToDirectory">As far as the link stays inside the root; a dangling one counts as a file.</param>
internal sealed record OutputSymlinkNode(string Target, bool LeadsToDirectory) : OutputNode;

internal sealed record OutputDirectoryNode : OutputNode
{
    /// <summary>In the order of the names' bytes, as Directory wants them.</summary>
    public List<(string Name, OutputNode Node)> Children { get; } = [];
}
