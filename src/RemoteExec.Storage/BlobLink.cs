namespace RemoteExec.Storage;

/// <summary>One file of an input root: which blob, at which path, with or without the executable bit.</summary>
public readonly record struct BlobLink(Digest Digest, bool Executable, string Path)
{
    /// <summary>
    /// A copy, never a hard link: for readers that run as the owner of the stored files, who could change their mode
    /// and then their bytes.
    /// </summary>
    public bool IsCopy { get; init; }
}
