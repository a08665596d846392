using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>Those on open files and directories.</summary>
public static partial class Posix
{
    /// <summary>
    /// The calling thread takes a processor only after those that are less nice, also where the process is nice itself. On Linux, where each thread has a
    /// niceness of its own (nice(2), "C library/kernel differences"); elsewhere it is that of the whole process, and nothing changes.
    /// </summary>
    /// <param name="steps">1 to 19, on top of what the thread has; beyond 19 is 19. What was given away is not taken back.</param>
    public static int GiveWay(int steps) => OperatingSystem.IsLinux() ? Errno.OfLastCall(LibC.nice(steps)) : 0;

    public static uint EffectiveUser => LibC.geteuid();

    public static uint EffectiveGroup => LibC.getegid();

    /// <summary>File or directory; never to be repeated after a failure, the kernel may have dropped the pages.</summary>
    public static int Flush(SafeFileHandle file) => Errno.OfLastCall(LibC.fsync(file));

    /// <summary>The bytes, and of the rest what it takes to read them back (fdatasync(2)); never to be repeated either.</summary>
    public static int FlushData(SafeFileHandle file) => Errno.OfLastCall(LibC.fdatasync(file));

    /// <summary>All that was written to the file system of this file or directory (syncfs(2)); tells of faults since Linux 5.8.</summary>
    public static int FlushFileSystem(SafeFileHandle file) => Errno.OfLastCall(LibC.syncfs(file));

    /// <summary>Begins writing a file's dirty pages without waiting for them; a hint.</summary>
    public static void StartWriteback(SafeFileHandle file, long offset, long count) =>
        _ = LibC.sync_file_range(file, offset, count, LibC.SYNC_FILE_RANGE_WRITE);

    /// <summary>Asks for blocks ahead of the data. A file system that cannot says EOPNOTSUPP, which changes nothing.</summary>
    public static int Preallocate(SafeFileHandle file, long bytes)
    {
        int errno = Errno.OfLastCall(LibC.fallocate(file, LibC.FALLOC_FL_KEEP_SIZE, 0, bytes));
        return errno == Errno.EOPNOTSUPP ? 0 : errno;
    }

    public static int ChangeMode(SafeFileHandle file, uint mode) => Errno.OfLastCall(LibC.fchmod(file, mode));

    public static int ChangeOwner(SafeFileHandle file, uint user, uint group) => Errno.OfLastCall(LibC.fchown(file, user, group));

    /// <summary>What is left are the mode's nine bits (acl(5)). None there, or none possible, is as good.</summary>
    public static int RemoveAccessControlList(SafeFileHandle file)
    {
        int errno = Errno.OfLastCall(LibC.fremovexattr(file, "system.posix_acl_access\0"u8));
        return errno is Errno.ENODATA or Errno.EOPNOTSUPP ? 0 : errno;
    }

    /// <summary>Raw directory records from where the last call ended (getdents64(2)); none is the end.</summary>
    public static unsafe int ReadDirectory(SafeFileHandle directory, Span<byte> records, out int bytes)
    {
        fixed (byte* start = records)
            bytes = (int)LibC.getdents64(LibC.SYS_getdents64, directory, start, records.Length);
        return Errno.OfLastCall(bytes);
    }

    /// <summary>Directory records from the start again.</summary>
    public static int Rewind(SafeFileHandle directory) => LibC.lseek(directory, 0, LibC.SEEK_SET) == 0 ? 0 : Errno.OfLastCall(-1);

    /// <summary>Shares extents between two files of one file system (ioctl_ficlone(2)).</summary>
    public static int Clone(SafeFileHandle from, SafeFileHandle to) => Errno.OfLastCall(LibC.ioctl(to, LibC.FICLONE, from));

    /// <summary>Copies without passing the bytes through this process; the count may be short, 0 is the end of the file.</summary>
    public static int CopyRange(SafeFileHandle from, ref long fromOffset, SafeFileHandle to, ref long toOffset, long count, out long copied)
    {
        copied = LibC.copy_file_range(from, ref fromOffset, to, ref toOffset, (nuint)count, 0);
        return Errno.OfLastCall(copied < 0 ? -1 : 0);
    }

    /// <summary>
    /// Whether somebody, this process included, has the file open for writing or mapped so: the kernel grants a read
    /// lease only if nobody has (fcntl(2), F_SETLEASE). The lease is given back at once.
    /// </summary>
    public static bool IsOpenForWriting(SafeFileHandle file)
    {
        // Should an opener break the lease in this instant: SIGIO would kill the process, SIGURG is ignored.
        if (LibC.fcntl(file, LibC.F_SETSIG, LibC.SIGURG) != 0 || LibC.fcntl(file, LibC.F_SETLEASE, LibC.F_RDLCK) != 0) return true;
        _ = LibC.fcntl(file, LibC.F_SETLEASE, LibC.F_UNLCK);
        _ = LibC.fcntl(file, LibC.F_SETSIG, 0);
        return false;
    }
}
