using System.Runtime.InteropServices;

namespace RemoteExec.Client;

/// <summary>
/// Tells regular files from sockets, pipes and devices without opening them: opening a pipe waits for its other end,
/// and the base library does not tell these kinds apart.
/// </summary>
internal static partial class FileKind
{
    private const int AtFdCwd = -100;
    private const int AtSymlinkNoFollow = 0x100;
    private const uint StatxType = 1;
    private const int ModeOffset = 28; // stx_mode in struct statx (statx(2)); the same on every architecture
    private const int StatxBytes = 256;
    private const ushort FormatMask = 0xF000; // S_IFMT
    private const ushort FormatRegular = 0x8000; // S_IFREG

    public static unsafe bool IsRegular(string path)
    {
        if (!OperatingSystem.IsLinux()) return true;

        byte* facts = stackalloc byte[StatxBytes];
        if (StatX(AtFdCwd, path, AtSymlinkNoFollow, StatxType, facts) != 0)
            throw new IOException($"{path}: {Marshal.GetLastPInvokeErrorMessage()}");
        return (*(ushort*)(facts + ModeOffset) & FormatMask) == FormatRegular;
    }

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int StatX(int directory, string path, int flags, uint mask, byte* facts);
}
