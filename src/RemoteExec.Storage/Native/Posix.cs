using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>The calls that the base library lacks: by descriptor, without replacing, down to the disk. Linux numbers.</summary>
/// <remarks>Everything here is equal on x86-64 and arm64; flags that differ (O_DIRECTORY, O_NOFOLLOW) are not used.</remarks>
internal static partial class Posix
{
    public const int EPERM = 1;
    public const int ENOENT = 2;
    public const int EINTR = 4;
    public const int EIO = 5;
    public const int EEXIST = 17;
    public const int EXDEV = 18;
    public const int EINVAL = 22;
    public const int ENFILE = 23;
    public const int EMFILE = 24;
    public const int ENOSPC = 28;
    public const int EROFS = 30;
    public const int EMLINK = 31;
    public const int ENOSYS = 38;
    public const int ENODATA = 61;
    public const int EOPNOTSUPP = 95;
    public const int EDQUOT = 122;

    public const int O_RDONLY = 0;
    public const int O_RDWR = 2;
    public const int O_CREAT = 0x40;
    public const int O_EXCL = 0x80;
    public const int O_CLOEXEC = 0x80000;

    public const int AT_FDCWD = -100;
    public const int AT_SYMLINK_FOLLOW = 0x400;

    private const int AT_EMPTY_PATH = 0x1000;
    private const uint RENAME_NOREPLACE = 1;
    private const uint SYNC_FILE_RANGE_WRITE = 2;
    private const int FALLOC_FL_KEEP_SIZE = 1;
    private const uint STATX_BASIC_STATS = 0x7ff;
    private const nuint FICLONE = 0x40049409;
    private const int F_SETLEASE = 1024;
    private const int F_SETSIG = 10;
    private const int F_RDLCK = 0;
    private const int F_UNLCK = 2;
    private const int SIGURG = 23;

    public static string Describe(int errno) => $"{Marshal.GetPInvokeErrorMessage(errno)} (errno {errno})";

    /// <summary>Opens relative to a directory; 0 or the errno.</summary>
    public static int OpenAt(SafeFileHandle directory, string name, int flags, uint mode, out SafeFileHandle file)
    {
        do file = openat(directory, name, flags | O_CLOEXEC, mode);
        while (file.IsInvalid && Marshal.GetLastPInvokeError() == EINTR);
        return file.IsInvalid ? Marshal.GetLastPInvokeError() : 0;
    }

    public static int OpenDirectory(string path, out SafeFileHandle directory)
    {
        directory = open(path, O_RDONLY | O_CLOEXEC, 0);
        return directory.IsInvalid ? Marshal.GetLastPInvokeError() : 0;
    }

    public static int RenameWithoutReplace(SafeFileHandle fromDirectory, string from, SafeFileHandle toDirectory, string to) =>
        Errno(renameat2(fromDirectory, from, toDirectory, to, RENAME_NOREPLACE));

    public static int Rename(SafeFileHandle fromDirectory, string from, SafeFileHandle toDirectory, string to) =>
        Errno(renameat2(fromDirectory, from, toDirectory, to, 0));

    public static int Unlink(SafeFileHandle directory, string name) => Errno(unlinkat(directory, name, 0));

    public static int Link(SafeFileHandle fromDirectory, string from, SafeFileHandle toDirectory, string to) =>
        Errno(linkat(fromDirectory, from, toDirectory, to, 0));

    /// <summary>Gives an open file a name. Through /proc, because AT_EMPTY_PATH wants a capability (open(2), O_TMPFILE).</summary>
    public static int LinkDescriptor(SafeFileHandle file, SafeFileHandle toDirectory, string to) =>
        Errno(linkat(AT_FDCWD, $"/proc/self/fd/{file.DangerousGetHandle()}", toDirectory, to, AT_SYMLINK_FOLLOW));

    /// <summary>File or directory; never to be repeated after a failure, the kernel may have dropped the pages.</summary>
    public static int Flush(SafeFileHandle file) => Errno(fsync(file));

    /// <summary>Begins writing a file's dirty pages without waiting for them; a hint.</summary>
    public static void StartWriteback(SafeFileHandle file, long offset, long count) =>
        _ = sync_file_range(file, offset, count, SYNC_FILE_RANGE_WRITE);

    /// <summary>Asks for blocks ahead of the data. A file system that cannot says EOPNOTSUPP, which changes nothing.</summary>
    public static int Preallocate(SafeFileHandle file, long bytes)
    {
        int errno = Errno(fallocate(file, FALLOC_FL_KEEP_SIZE, 0, bytes));
        return errno == EOPNOTSUPP ? 0 : errno;
    }

    public static int ChangeMode(SafeFileHandle file, uint mode) => Errno(fchmod(file, mode));

    public static int ChangeOwner(SafeFileHandle file, uint user, uint group) => Errno(fchown(file, user, group));

    /// <summary>What is left are the mode's nine bits (acl(5)). None there, or none possible, is as good.</summary>
    public static int RemoveAccessControlList(SafeFileHandle file)
    {
        int errno = Errno(fremovexattr(file, "system.posix_acl_access"));
        return errno is ENODATA or EOPNOTSUPP ? 0 : errno;
    }

    public static uint EffectiveUser() => geteuid();

    public static uint EffectiveGroup() => getegid();

    /// <summary>Shares extents between two files of one file system (ioctl_ficlone(2)).</summary>
    public static int Clone(SafeFileHandle from, SafeFileHandle to) => Errno(ioctl(to, FICLONE, from));

    /// <summary>Copies without passing the bytes through this process; the count may be short, 0 is the end of the file.</summary>
    public static int CopyRange(SafeFileHandle from, ref long fromOffset, SafeFileHandle to, ref long toOffset, long count, out long copied)
    {
        copied = copy_file_range(from, ref fromOffset, to, ref toOffset, (nuint)count, 0);
        return copied < 0 ? Marshal.GetLastPInvokeError() : 0;
    }

    /// <summary>
    /// Whether somebody, this process included, has the file open for writing or mapped so: the kernel grants a read
    /// lease only if nobody has (fcntl(2), F_SETLEASE). The lease is given back at once.
    /// </summary>
    public static bool IsOpenForWriting(SafeFileHandle file)
    {
        // Should an opener break the lease in this instant: SIGIO would kill the process, SIGURG is ignored.
        if (fcntl(file, F_SETSIG, SIGURG) != 0 || fcntl(file, F_SETLEASE, F_RDLCK) != 0) return true;
        _ = fcntl(file, F_SETLEASE, F_UNLCK);
        _ = fcntl(file, F_SETSIG, 0);
        return false;
    }

    public static unsafe int Stat(SafeFileHandle file, out FileFacts facts)
    {
        byte* buffer = stackalloc byte[256];
        facts = default;
        if (statx(file, "", AT_EMPTY_PATH, STATX_BASIC_STATS, buffer) != 0) return Marshal.GetLastPInvokeError();

        // struct statx (statx(2)): fixed layout on every architecture.
        facts = new FileFacts(
            Links: *(uint*)(buffer + 16),
            User: *(uint*)(buffer + 20),
            Mode: *(ushort*)(buffer + 28),
            SizeBytes: *(long*)(buffer + 40),
            DeviceMajor: *(uint*)(buffer + 136),
            DeviceMinor: *(uint*)(buffer + 140));
        return 0;
    }

    private static int Errno(int result) => result == 0 ? 0 : Marshal.GetLastPInvokeError();

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle open(string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle openat(SafeFileHandle directory, string path, int flags, uint mode);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int renameat2(SafeFileHandle fromDirectory, string from, SafeFileHandle toDirectory, string to, uint flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int unlinkat(SafeFileHandle directory, string path, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int linkat(SafeFileHandle fromDirectory, string from, SafeFileHandle toDirectory, string to, int flags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int linkat(int fromDirectory, string from, SafeFileHandle toDirectory, string to, int flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fsync(SafeFileHandle file);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int sync_file_range(SafeFileHandle file, long offset, long count, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fallocate(SafeFileHandle file, int mode, long offset, long length);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchmod(SafeFileHandle file, uint mode);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fchown(SafeFileHandle file, uint user, uint group);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int fremovexattr(SafeFileHandle file, string name);

    [LibraryImport("libc")]
    private static partial uint geteuid();

    [LibraryImport("libc")]
    private static partial uint getegid();

    [LibraryImport("libc", SetLastError = true)]
    private static partial int ioctl(SafeFileHandle file, nuint request, SafeFileHandle argument);

    [LibraryImport("libc", SetLastError = true)]
    private static partial nint copy_file_range(
        SafeFileHandle from, ref long fromOffset, SafeFileHandle to, ref long toOffset, nuint length, uint flags);

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fcntl(SafeFileHandle file, int command, int argument);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static unsafe partial int statx(SafeFileHandle directory, string path, int flags, uint mask, byte* buffer);
}
