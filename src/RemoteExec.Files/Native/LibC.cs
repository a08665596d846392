using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>The C library's own names and numbers, Linux's on x86-64 and arm64; <see cref="Posix"/> speaks for them.</summary>
internal static unsafe partial class LibC
{
    public const int AT_FDCWD = -100;
    public const int AT_SYMLINK_NOFOLLOW = 0x100;
    public const int AT_REMOVEDIR = 0x200;
    public const int AT_SYMLINK_FOLLOW = 0x400;
    public const int AT_EMPTY_PATH = 0x1000;

    public const nint UTIME_OMIT = (1 << 30) - 2;

    public const uint RENAME_NOREPLACE = 1;
    public const uint SYNC_FILE_RANGE_WRITE = 2;
    public const int FALLOC_FL_KEEP_SIZE = 1;
    public const uint STATX_BASIC_STATS = 0x7ff;
    public const int SEEK_SET = 0;

    public const nuint FICLONE = 0x40049409;

    public const int F_SETSIG = 10;
    public const int F_SETLEASE = 1024;
    public const int F_RDLCK = 0;
    public const int F_UNLCK = 2;
    public const int SIGURG = 23;


    public const nint SYS_openat2 = 437; // one number everywhere: younger than the unified table

    private const string Library = "libc";

    public static readonly nint SYS_getdents64 = RuntimeInformation.ProcessArchitecture == Architecture.Arm64 ? 61 : 217;

    [LibraryImport(Library, SetLastError = true)]
    public static partial int openat(int directory, ReadOnlySpan<byte> path, int flags, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int openat(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mode);

    // The library has no word for these two yet.
    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    public static partial nint openat2(nint number, SafeFileHandle directory, ReadOnlySpan<byte> path, OpenHow* how, nint howBytes);

    [LibraryImport(Library, EntryPoint = "syscall", SetLastError = true)]
    public static partial nint getdents64(nint number, SafeFileHandle directory, byte* records, nint recordsBytes);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int nice(int increment);

    [LibraryImport(Library, SetLastError = true)]
    public static partial long lseek(SafeFileHandle file, long offset, int whence);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int mkdirat(int directory, ReadOnlySpan<byte> path, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int mkdirat(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int renameat2(SafeFileHandle fromDirectory, ReadOnlySpan<byte> from, SafeFileHandle toDirectory, ReadOnlySpan<byte> to, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int unlinkat(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int linkat(SafeFileHandle fromDirectory, ReadOnlySpan<byte> from, SafeFileHandle toDirectory, ReadOnlySpan<byte> to, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int linkat(int fromDirectory, ReadOnlySpan<byte> from, SafeFileHandle toDirectory, ReadOnlySpan<byte> to, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int symlinkat(ReadOnlySpan<byte> target, int directory, ReadOnlySpan<byte> path);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint readlinkat(SafeFileHandle directory, ReadOnlySpan<byte> path, Span<byte> target, nuint targetBytes);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int statx(int directory, ReadOnlySpan<byte> path, int flags, uint mask, out FileStatus status);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int statx(SafeFileHandle directory, ReadOnlySpan<byte> path, int flags, uint mask, out FileStatus status);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchmod(SafeFileHandle file, uint mode);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchmodat(int directory, ReadOnlySpan<byte> path, uint mode, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchmodat(SafeFileHandle directory, ReadOnlySpan<byte> path, uint mode, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchown(SafeFileHandle file, uint user, uint group);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchownat(int directory, ReadOnlySpan<byte> path, uint user, uint group, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fchownat(SafeFileHandle directory, ReadOnlySpan<byte> path, uint user, uint group, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int utimensat(int directory, ReadOnlySpan<byte> path, ReadOnlySpan<TimeSpec> times, int flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fsync(SafeFileHandle file);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fdatasync(SafeFileHandle file);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int syncfs(SafeFileHandle file);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int sync_file_range(SafeFileHandle file, long offset, long count, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fremovexattr(SafeFileHandle file, ReadOnlySpan<byte> name);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int ioctl(SafeFileHandle file, nuint request, SafeFileHandle argument);

    [LibraryImport(Library, SetLastError = true)]
    public static partial nint copy_file_range(
        SafeFileHandle from, ref long fromOffset, SafeFileHandle to, ref long toOffset, nuint length, uint flags);

    [LibraryImport(Library, SetLastError = true)]
    public static partial int fcntl(SafeFileHandle file, int command, int argument);

    [LibraryImport(Library)]
    public static partial uint geteuid();

    [LibraryImport(Library)]
    public static partial uint getegid();
}

/// <summary>struct timespec of the machine's word size (utimensat(2)): when, first of the last use, then of the last change.</summary>
internal readonly record struct TimeSpec(nint Seconds, nint Nanoseconds);

/// <summary>struct open_how of openat2(2).</summary>
internal struct OpenHow
{
    public ulong Flags;
    public ulong Mode;
    public ulong Resolve;
}
