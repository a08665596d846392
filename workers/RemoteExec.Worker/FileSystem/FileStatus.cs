using System.Runtime.InteropServices;

namespace RemoteExec.Worker;

/// <summary>What statx(2) tells about a file; the layout is the same on every architecture.</summary>
[StructLayout(LayoutKind.Explicit, Size = 256)]
internal readonly struct FileStatus
{
    public const uint BasicMask = 0x7ff; // STATX_BASIC_STATS

    private const int KindMask = 0xF000;

    [FieldOffset(16)] public readonly uint LinkCount;
    [FieldOffset(20)] public readonly uint User;
    [FieldOffset(24)] public readonly uint Group;
    [FieldOffset(28)] public readonly ushort Mode;
    [FieldOffset(32)] public readonly ulong Inode;
    [FieldOffset(40)] public readonly long SizeBytes;
    [FieldOffset(112)] public readonly long ModifiedSeconds;
    [FieldOffset(120)] public readonly uint ModifiedNanoseconds;
    [FieldOffset(136)] public readonly uint DeviceMajor;
    [FieldOffset(140)] public readonly uint DeviceMinor;

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
    public bool IsExecutable => (Mode & 0x49) != 0; // 0111
}
