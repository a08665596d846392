using System.Runtime.InteropServices;

namespace RemoteExec.Worker;

/// <summary>struct fsxattr of linux/fs.h, as FS_IOC_FSGETXATTR fills it.</summary>
[StructLayout(LayoutKind.Explicit, Size = 28)]
internal readonly record struct ExtendedFlags
{
    [FieldOffset(0)] public readonly uint Flags;
    [FieldOffset(4)] public readonly uint ExtentSizeHint;
    [FieldOffset(12)] public readonly uint Project;
    [FieldOffset(16)] public readonly uint CopyExtentSizeHint;
}
