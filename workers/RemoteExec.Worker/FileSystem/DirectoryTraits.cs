using System.Runtime.InteropServices;

namespace RemoteExec.Worker;

/// <summary>
/// All that its owner can change about an empty directory without privileges: rights, size on disk, inode flags,
/// project; and on btrfs whether it is a directory or a subvolume. Two empty directories with the same traits behave the same.
/// </summary>
internal sealed record DirectoryTraits
{
    private const nuint GetFlags = 0x80086601; // FS_IOC_GETFLAGS, ioctl_iflags(2)
    private const nuint GetExtendedFlags = 0x801c581f; // FS_IOC_FSGETXATTR, ioctl_xfs_fsgetxattr(2)

    private const int ENOTTY = 25;
    private const int EOPNOTSUPP = 95;

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
        int descriptor = directory.Descriptor;
        nint attributeBytes = Libc.ListAttributes(descriptor, [], 0);
        if (IsKnown(attributeBytes, directory) && attributeBytes > 0) return null;

        var status = directory.Stat();
        return new DirectoryTraits
        {
            Device = (status.DeviceMajor, status.DeviceMinor),
            User = status.User,
            Group = status.Group,
            Mode = status.Mode,
            SizeBytes = status.SizeBytes,
            Flags = IsKnown(Libc.GetFlags(descriptor, GetFlags, out long flags), directory) ? flags : 0,
            ExtendedFlags = IsKnown(Libc.GetExtendedFlags(descriptor, GetExtendedFlags, out var extended), directory) ? extended : default,
        };
    }

    /// <summary>False where the file system has no such thing at all, which is then nothing to differ in.</summary>
    private static bool IsKnown(nint result, DirectoryHandle directory)
    {
        if (result >= 0) return true;
        return Marshal.GetLastPInvokeError() is ENOTTY or EOPNOTSUPP ? false : throw FileSystemException.Last("inspect", directory.Path);
    }
}
