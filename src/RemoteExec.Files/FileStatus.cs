using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>What statx(2) tells about a file; the layout is the same on every architecture.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
public readonly struct FileStatus
{
    private const int KindMask = 0xF000; // S_IFMT

    [FieldOffset(112)] private readonly long _modifiedSeconds;
    [FieldOffset(120)] private readonly uint _modifiedNanoseconds;
    [FieldOffset(136)] private readonly uint _deviceMajor;
    [FieldOffset(140)] private readonly uint _deviceMinor;

    [field: FieldOffset(16)]
    public uint Links { get; }

    [field: FieldOffset(20)]
    public uint User { get; }

    /// <summary>Kind and rights.</summary>
    [field: FieldOffset(28)]
    public ushort Mode { get; }

    [field: FieldOffset(32)]
    public ulong Inode { get; }

    [field: FieldOffset(40)]
    public long SizeBytes { get; }

    public (long Seconds, uint Nanoseconds) Modified => (_modifiedSeconds, _modifiedNanoseconds);

    public (uint Major, uint Minor) Device => (_deviceMajor, _deviceMinor);

    public FileKind Kind => (Mode & KindMask) switch
    {
        0x8000 => FileKind.Regular,
        0x4000 => FileKind.Directory,
        0xA000 => FileKind.Symlink,
        0x1000 => FileKind.Fifo,
        0xC000 => FileKind.Socket,
        0x2000 => FileKind.CharacterDevice,
        0x6000 => FileKind.BlockDevice,
        _ => FileKind.Unknown,
    };

    /// <summary>Executable by anyone: an action's own umask decides which of the three bits it sets.</summary>
    public bool IsExecutable => (Mode & Permissions.Octal0111) != 0;

    public static FileStatus Of(SafeFileHandle file)
    {
        int errno = Posix.Stat(file, out var status);
        return errno == 0 ? status : throw new FileSystemException("looking at an open file", errno);
    }

    /// <summary>
    /// Tells a regular file from sockets, pipes and devices without opening it: opening a pipe waits for its other end, and the
    /// base library does not tell these kinds apart. Elsewhere than on Linux everything passes for regular.
    /// </summary>
    public static bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;

        int errno = Posix.Stat(path, out var status);
        return errno == 0 ? status.Kind == FileKind.Regular : throw new FileSystemException(path, errno);
    }
}
