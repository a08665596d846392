using System.Runtime.InteropServices;

namespace RemoteExec.Worker;

/// <summary>
/// The few system calls the base library has no words for: everything relative to a directory
/// descriptor, and nothing that follows a symbolic link by accident (openat2(2), statx(2), unlinkat(2)).
/// </summary>
internal static unsafe partial class Libc
{
    public const int AtFdCwd = -100;
    public const int AtSymlinkNoFollow = 0x100;
    public const int AtRemoveDir = 0x200;
    public const int AtEmptyPath = 0x1000;

    public const int OpenReadOnly = 0;
    public const int OpenNonBlocking = 0x800;
    public const int OpenCloseOnExec = 0x80000;
    public const int OpenPath = 0x200000;

    public const ulong ResolveNoMagicLinks = 0x02;
    public const ulong ResolveNoSymlinks = 0x04;
    public const ulong ResolveBeneath = 0x08;

    public const int ENOENT = 2;
    public const int EACCES = 13;
    public const int EEXIST = 17;
    public const int EXDEV = 18;
    public const int ENOTDIR = 20;
    public const int ENOSPC = 28;
    public const int ELOOP = 40;
    public const int EDQUOT = 122;

    private const long GetDents64X64 = 217;
    private const long GetDents64Arm64 = 61;
    private const long RenameAt2X64 = 316;
    private const long RenameAt2Arm64 = 276;
    private const long OpenAt2 = 437; // one number everywhere: younger than the unified table

    private const uint RenameNoReplace = 1;

    private static readonly bool IsArm64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    // arm64 inherits arm's values for these two (asm/fcntl.h), all others are asm-generic.
    public static int OpenDirectory => IsArm64 ? 0x4000 : 0x10000;
    public static int OpenNoFollow => IsArm64 ? 0x8000 : 0x20000;

    [LibraryImport("libc", EntryPoint = "openat", SetLastError = true)]
    public static partial int Open(int directory, ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    public static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "lseek", SetLastError = true)]
    public static partial long Seek(int descriptor, long offset, int whence);

    [LibraryImport("libc", EntryPoint = "mkdirat", SetLastError = true)]
    public static partial int MakeDirectory(int directory, ReadOnlySpan<byte> path, uint mode);

    [LibraryImport("libc", EntryPoint = "fchownat", SetLastError = true)]
    public static partial int ChangeOwner(int directory, ReadOnlySpan<byte> path, uint user, uint group, int flags);

    [LibraryImport("libc", EntryPoint = "fchmod", SetLastError = true)]
    public static partial int ChangeMode(int descriptor, uint mode);

    [LibraryImport("libc", EntryPoint = "fchmodat", SetLastError = true)]
    public static partial int ChangeModeAt(int directory, ReadOnlySpan<byte> path, uint mode, int flags);

    [LibraryImport("libc", EntryPoint = "symlinkat", SetLastError = true)]
    public static partial int MakeSymlink(ReadOnlySpan<byte> target, int directory, ReadOnlySpan<byte> path);

    [LibraryImport("libc", EntryPoint = "readlinkat", SetLastError = true)]
    public static partial nint ReadSymlink(int directory, ReadOnlySpan<byte> path, Span<byte> target, nuint targetBytes);

    [LibraryImport("libc", EntryPoint = "unlinkat", SetLastError = true)]
    public static partial int Unlink(int directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport("libc", EntryPoint = "renameat", SetLastError = true)]
    public static partial int Rename(int fromDirectory, ReadOnlySpan<byte> from, int toDirectory, ReadOnlySpan<byte> to);

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true)]
    public static partial int Stat(int directory, ReadOnlySpan<byte> path, int flags, uint mask, out FileStatus status);

    [LibraryImport("libc", EntryPoint = "flistxattr", SetLastError = true)]
    public static partial nint ListAttributes(int descriptor, Span<byte> names, nuint namesBytes);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int GetFlags(int descriptor, nuint request, out long flags);

    [LibraryImport("libc", EntryPoint = "ioctl", SetLastError = true)]
    public static partial int GetExtendedFlags(int descriptor, nuint request, out ExtendedFlags flags);

    /// <summary>futimens(3) with no times: both become now.</summary>
    [LibraryImport("libc", EntryPoint = "futimens", SetLastError = true)]
    public static partial int Touch(int descriptor, nint times);

    [LibraryImport("libc", EntryPoint = "geteuid")]
    public static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint a, nint b, nint c, nint d);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint SystemCall(nint number, nint a, nint b, nint c, nint d, nint e);

    /// <summary>getdents64(2): raw directory records; 0 at the end.</summary>
    public static int ReadDirectory(int directory, Span<byte> buffer)
    {
        fixed (byte* start = buffer)
        {
            return (int)SystemCall(
                (nint)(IsArm64 ? GetDents64Arm64 : GetDents64X64), directory, (nint)start, buffer.Length, 0);
        }
    }

    /// <summary>openat2(2), Linux 5.6: opens with a say in how the path may be resolved.</summary>
    public static int OpenResolved(int directory, ReadOnlySpan<byte> path, int flags, ulong resolve)
    {
        var how = new OpenHow { Flags = (ulong)flags, Resolve = resolve };
        fixed (byte* name = path)
        {
            return (int)SystemCall((nint)OpenAt2, directory, (nint)name, (nint)(&how), sizeof(OpenHow));
        }
    }

    /// <summary>renameat2(2), Linux 3.15: EEXIST instead of replacing what is there.</summary>
    public static int RenameWithoutReplacing(int fromDirectory, ReadOnlySpan<byte> from, int toDirectory, ReadOnlySpan<byte> to)
    {
        fixed (byte* source = from)
        fixed (byte* target = to)
        {
            return (int)SystemCall(
                (nint)(IsArm64 ? RenameAt2Arm64 : RenameAt2X64), fromDirectory, (nint)source, toDirectory, (nint)target, (nint)RenameNoReplace);
        }
    }

    private struct OpenHow
    {
        public ulong Flags;
        public ulong Mode;
        public ulong Resolve;
    }
}
