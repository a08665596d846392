namespace RemoteExec.Worker;

/// <summary>
/// All that its owner can change about an empty directory without privileges: rights, size on disk, inode flags,
/// project; and on btrfs whether it is a directory or a subvolume. Two empty directories with the same traits behave the same.
/// </summary>
internal sealed record DirectoryTraits
{
    private DirectoryTraits() { }

    /// <summary>A btrfs subvolume, which anybody may make, looks like a directory but is a file system to link(2).</summary>
    public required (uint Major, uint Minor) Device { get; init; }

    public required uint User { get; init; }

    public required uint Group { get; init; }

    public required ushort Mode { get; init; }

    /// <summary>An ext4 directory keeps the blocks that a hundred thousand names took, and later look-ups pay for them.</summary>
    public required long SizeBytes { get; init; }

    public required long Flags { get; init; }

    public required ExtendedFlags ExtendedFlags { get; init; }

    /// <summary>
    /// Null when the directory has extended attributes or access lists. Their values would have to be compared too, so
    /// such a directory is like no other.
    /// </summary>
    public static DirectoryTraits? TryRead(DirectoryHandle directory)
    {
        var descriptor = directory.Descriptor;
        if (IsKnown(Posix.HasAttributes(descriptor, out bool hasAttributes), directory) && hasAttributes) return null;

        var status = directory.Stat();
        return new DirectoryTraits
        {
            Device = status.Device,
            User = status.User,
            Group = status.Group,
            Mode = status.Mode,
            SizeBytes = status.SizeBytes,
            Flags = IsKnown(Posix.GetFlags(descriptor, out long flags), directory) ? flags : 0,
            ExtendedFlags = IsKnown(Posix.GetExtendedFlags(descriptor, out var extended), directory) ? extended : default,
        };
    }

    /// <summary>False where the file system has no such thing at all, which is then nothing to differ in.</summary>
    private static bool IsKnown(int errno, DirectoryHandle directory) => errno switch
    {
        0 => true,
        Errno.ENOTTY or Errno.EOPNOTSUPP => false,
        _ => throw DirectoryHandle.Failure("inspect", directory.Path, errno),
    };
}
