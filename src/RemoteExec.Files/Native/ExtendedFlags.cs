using System.Runtime.InteropServices;

namespace RemoteExec.Files;

/// <summary>struct fsxattr of linux/fs.h, as FS_IOC_FSGETXATTR fills it.</summary>
[StructLayout(LayoutKind.Explicit, Size = 28)]
public readonly record struct ExtendedFlags
{
    [FieldOffset(0)] private readonly uint _flags;
    [FieldOffset(4)] private readonly uint _extentSizeHint;
    [FieldOffset(12)] private readonly uint _project;
    [FieldOffset(16)] private readonly uint _copyExtentSizeHint;
}
