using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Files;

/// <summary>
/// The calls that the base library lacks, those on names: relative to an open directory, without replacing, without following a
/// link by accident. Every one answers 0 or the errno.
/// </summary>
public static partial class Posix
{
    public static int OpenDirectory(FileName path, out SafeFileHandle directory) =>
        Opened(LibC.openat(LibC.AT_FDCWD, path.Terminated, OpenFlags.Directory.Native(), 0), out directory);

    /// <summary>As <see cref="OpenDirectory"/>, but not what a symbolic link leads to.</summary>
    public static int OpenDirectoryItself(FileName path, out SafeFileHandle directory) =>
        Opened(LibC.openat(LibC.AT_FDCWD, path.Terminated, (OpenFlags.Directory | OpenFlags.NoFollow).Native(), 0), out directory);

    public static int Open(FileName path, OpenFlags flags, out SafeFileHandle file) =>
        Opened(LibC.openat(LibC.AT_FDCWD, path.Terminated, flags.Native(), 0), out file);

    public static int OpenAt(SafeFileHandle directory, FileName name, OpenFlags flags, uint mode, out SafeFileHandle file)
    {
        int errno;
        do errno = Opened(LibC.openat(directory, name.Terminated, flags.Native(), mode), out file);
        while (errno == Errno.EINTR);
        return errno;
    }

    /// <summary>Opens with a say in how the path may be resolved.</summary>
    public static unsafe int OpenResolved(SafeFileHandle directory, FileName path, OpenFlags flags, Resolve resolve, out SafeFileHandle file)
    {
        var how = new OpenHow { Flags = (ulong)flags.Native(), Resolve = (ulong)resolve };
        return Opened((int)LibC.openat2(LibC.SYS_openat2, directory, path.Terminated, &how, sizeof(OpenHow)), out file);
    }

    public static int MakeDirectory(FileName path, uint mode) => Errno.OfLastCall(LibC.mkdirat(LibC.AT_FDCWD, path.Terminated, mode));

    public static int MakeDirectory(SafeFileHandle directory, FileName name, uint mode) =>
        Errno.OfLastCall(LibC.mkdirat(directory, name.Terminated, mode));

    public static int Rename(SafeFileHandle fromDirectory, FileName from, SafeFileHandle toDirectory, FileName to) =>
        Errno.OfLastCall(LibC.renameat2(fromDirectory, from.Terminated, toDirectory, to.Terminated, 0));

    /// <summary>EEXIST instead of replacing what is there.</summary>
    public static int RenameWithoutReplace(SafeFileHandle fromDirectory, FileName from, SafeFileHandle toDirectory, FileName to) =>
        Errno.OfLastCall(LibC.renameat2(fromDirectory, from.Terminated, toDirectory, to.Terminated, LibC.RENAME_NOREPLACE));

    public static int Unlink(SafeFileHandle directory, FileName name) => Errno.OfLastCall(LibC.unlinkat(directory, name.Terminated, 0));

    public static int RemoveDirectory(SafeFileHandle directory, FileName name) =>
        Errno.OfLastCall(LibC.unlinkat(directory, name.Terminated, LibC.AT_REMOVEDIR));

    public static int Link(SafeFileHandle fromDirectory, FileName from, SafeFileHandle toDirectory, FileName to) =>
        Errno.OfLastCall(LibC.linkat(fromDirectory, from.Terminated, toDirectory, to.Terminated, 0));

    /// <summary>Gives an open file a name. Through /proc, because AT_EMPTY_PATH wants a capability (open(2), O_TMPFILE).</summary>
    public static int LinkDescriptor(SafeFileHandle file, SafeFileHandle toDirectory, FileName to)
    {
        FileName from = $"/proc/self/fd/{file.DangerousGetHandle()}";
        return Errno.OfLastCall(LibC.linkat(LibC.AT_FDCWD, from.Terminated, toDirectory, to.Terminated, LibC.AT_SYMLINK_FOLLOW));
    }

    public static int MakeSymlink(FileName target, FileName path) =>
        Errno.OfLastCall(LibC.symlinkat(target.Terminated, LibC.AT_FDCWD, path.Terminated));

    public static int ReadSymlink(SafeFileHandle directory, FileName name, out FileName target)
    {
        Span<byte> buffer = stackalloc byte[4096]; // PATH_MAX: no longer link can be made
        int length = (int)LibC.readlinkat(directory, name.Terminated, buffer, (nuint)buffer.Length);
        target = FileName.From(buffer[..Math.Max(0, length)]);
        return Errno.OfLastCall(length);
    }

    /// <summary>The file itself, not what a symbolic link leads to.</summary>
    public static int Stat(FileName path, out FileStatus status) =>
        Errno.OfLastCall(LibC.statx(LibC.AT_FDCWD, path.Terminated, LibC.AT_SYMLINK_NOFOLLOW, LibC.STATX_BASIC_STATS, out status));

    /// <inheritdoc cref="Stat(FileName, out FileStatus)"/>
    public static int Stat(SafeFileHandle directory, FileName name, out FileStatus status) =>
        Errno.OfLastCall(LibC.statx(directory, name.Terminated, LibC.AT_SYMLINK_NOFOLLOW, LibC.STATX_BASIC_STATS, out status));

    public static int Stat(SafeFileHandle file, out FileStatus status) =>
        Errno.OfLastCall(LibC.statx(file, "\0"u8, LibC.AT_EMPTY_PATH, LibC.STATX_BASIC_STATS, out status));

    /// <summary>Follows links, as chmod(1) does.</summary>
    public static int ChangeMode(FileName path, uint mode) => Errno.OfLastCall(LibC.fchmodat(LibC.AT_FDCWD, path.Terminated, mode, 0));

    public static int ChangeMode(SafeFileHandle directory, FileName name, uint mode) =>
        Errno.OfLastCall(LibC.fchmodat(directory, name.Terminated, mode, 0));

    /// <summary>A symbolic link's own owner.</summary>
    public static int ChangeOwner(FileName path, uint user, uint group) =>
        Errno.OfLastCall(LibC.fchownat(LibC.AT_FDCWD, path.Terminated, user, group, LibC.AT_SYMLINK_NOFOLLOW));

    /// <inheritdoc cref="ChangeOwner(FileName, uint, uint)"/>
    public static int ChangeOwner(SafeFileHandle directory, FileName name, uint user, uint group) =>
        Errno.OfLastCall(LibC.fchownat(directory, name.Terminated, user, group, LibC.AT_SYMLINK_NOFOLLOW));

    /// <summary>The time of a file's last change, or a symbolic link's own; that of its last use stays.</summary>
    public static int SetModified(FileName path, long seconds, long nanoseconds)
    {
        ReadOnlySpan<TimeSpec> times = [new(0, LibC.UTIME_OMIT), new((nint)seconds, (nint)nanoseconds)];
        return Errno.OfLastCall(LibC.utimensat(LibC.AT_FDCWD, path.Terminated, times, LibC.AT_SYMLINK_NOFOLLOW));
    }

    private static int Opened(int descriptor, out SafeFileHandle file)
    {
        int errno = Errno.OfLastCall(descriptor);
        file = new SafeFileHandle(descriptor, ownsHandle: true);
        return errno;
    }
}
