namespace RemoteExec.Worker;

/// <summary>What an action left at a place, found by the survey and not read yet.</summary>
internal abstract record OutputNode
{
    public NodeAttributes Attributes { get; init; }

    /// <summary>Every file at this place or below, as often as it is there.</summary>
    public virtual IEnumerable<OutputFileNode> Files => [];
}

/// <param name="Path">Relative to the input root.</param>
internal sealed record OutputFileNode(string Path, bool IsExecutable, long SizeBytes) : OutputNode
{
    /// <summary>Set once the content is in the store.</summary>
    public Digest Digest { get; set; }

    /// <summary>Why it cannot be read, when that is the action's doing.</summary>
    public Exception? Bad { get; set; }

    public override IEnumerable<OutputFileNode> Files => [this];
}

/// <param name="LeadsToDirectory">As far as the link stays inside the root; a dangling one counts as a file.</param>
internal sealed record OutputSymlinkNode(string Target, bool LeadsToDirectory) : OutputNode;

internal sealed record OutputDirectoryNode : OutputNode
{
    /// <summary>In the order of the names' bytes, as Directory wants them.</summary>
    public List<(string Name, OutputNode Node)> Children { get; } = [];

    public override IEnumerable<OutputFileNode> Files => Children.SelectMany(child => child.Node.Files);
}
