using System.Buffers;
using System.Buffers.Binary;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Worker;

/// <summary>
/// An open directory. Every operation is relative to the descriptor and takes one name or a path that is
/// resolved beneath it without following links, so a tree that an action controls cannot lead elsewhere
/// (TRUST: CVE-2018-15664, CVE-2021-25741 and their kin were all resolve-then-use on path strings).
/// </summary>
internal sealed class DirectoryHandle : IDisposable
{
    private const int RecordsBytes = 32 * 1024;

    // struct linux_dirent64: ino u64 · off u64 · reclen u16 · type u8 · name… NUL
    private const int RecordLengthOffset = 16;
    private const int RecordNameOffset = 19;

    private DirectoryHandle(SafeFileHandle descriptor, string path) => (Descriptor, Path) = (descriptor, path);

    /// <summary>For messages: where this directory is, relative to where the walk began.</summary>
    public string Path { get; }

    /// <summary>For a call that has no word here.</summary>
    public SafeFileHandle Descriptor { get; }

    public static DirectoryHandle Open(string path)
    {
        int errno = Posix.OpenDirectoryItself(path, out var descriptor);
        return errno == 0 ? new DirectoryHandle(descriptor, "") : throw Failure("open", path, errno);
    }

    /// <summary>Opens a directory beneath this one; null when there is none.</summary>
    /// <exception cref="FileSystemException">ELOOP: a symbolic link is in the way; ENOTDIR: something else is.</exception>
    public DirectoryHandle? TryOpenDirectory(FileName path) =>
        TryOpenBeneath(path, OpenFlags.Directory) is { } descriptor ? new DirectoryHandle(descriptor, Join(path)) : null;

    /// <summary>Opens a regular file for reading; null when there is none. Never blocks on a fifo.</summary>
    public SafeFileHandle? TryOpenFile(FileName path) => TryOpenBeneath(path, OpenFlags.NonBlocking);

    /// <summary>What an entry of this directory is, itself and not what it points to; null when it is not there.</summary>
    public FileStatus? TryStat(FileName name)
    {
        int errno = Posix.Stat(Descriptor, name, out var status);
        return errno switch
        {
            0 => status,
            Errno.ENOENT => null,
            _ => throw Failure("stat", Join(name), errno),
        };
    }

    /// <summary>Whether a path ends at a directory when links are followed, but never out of this directory.</summary>
    public bool LeadsToDirectory(FileName path)
    {
        int errno = Posix.OpenResolved(
            Descriptor, path, OpenFlags.Path | OpenFlags.Directory, Resolve.Beneath | Resolve.NoMagicLinks, out var descriptor);
        descriptor.Dispose();
        return errno == 0;
    }

    public FileName ReadSymlink(FileName name)
    {
        Check(Posix.ReadSymlink(Descriptor, name, out var target), "readlink", Join(name));
        return target;
    }

    /// <summary>Makes a directory owned by <paramref name="owner"/>; false when something is there already.</summary>
    public bool TryMakeDirectory(FileName name, uint owner)
    {
        int errno = Posix.MakeDirectory(Descriptor, name, Permissions.Octal0755);
        if (errno == Errno.EEXIST) return false;
        Check(errno, "mkdir", Join(name));
        if (owner != Posix.EffectiveUser) Check(Posix.ChangeOwner(Descriptor, name, owner, owner), "chown", Join(name));
        return true;
    }

    /// <summary>Removes an entry that is no directory; false when it is one.</summary>
    public bool TryUnlink(FileName name)
    {
        int errno = Posix.Unlink(Descriptor, name);
        return errno switch
        {
            0 or Errno.ENOENT => true,
            Errno.EISDIR or Errno.EPERM => false, // unlink(2): Linux says EISDIR, POSIX EPERM
            _ => throw Failure("unlink", Join(name), errno),
        };
    }

    public void RemoveEmptyDirectory(FileName name)
    {
        int errno = Posix.RemoveDirectory(Descriptor, name);
        if (errno != Errno.ENOENT) Check(errno, "rmdir", Join(name));
    }

    public void Move(FileName name, DirectoryHandle toDirectory, FileName to) =>
        Check(Posix.Rename(Descriptor, name, toDirectory.Descriptor, to), "rename", Join(name));

    /// <summary>Gives the owner every right on a directory, should an action have taken one away.</summary>
    public void Unlock(FileName name)
    {
        if (TryStat(name) is { Kind: FileKind.Directory } status && (status.Mode & Permissions.Octal0700) != Permissions.Octal0700)
            _ = Posix.ChangeMode(Descriptor, name, Permissions.Octal0700);
    }

    /// <summary>Reads the names from the start again: removal has changed them.</summary>
    public void Rewind() => Check(Posix.Rewind(Descriptor), "seek", Path);

    /// <summary>The names in this directory without "." and "..", in the order of their bytes.</summary>
    public List<FileName> ReadNames(int namesMax)
    {
        var names = new List<FileName>();
        using var lent = MemoryPool<byte>.Shared.Rent(RecordsBytes);
        var records = lent.Memory.Span;
        while (names.Count <= namesMax)
        {
            Check(Posix.ReadDirectory(Descriptor, records, out int length), "getdents", Path);
            if (length == 0) break;
            AddNames(records[..length], names);
        }

        names.Sort(static (left, right) => left.Bytes.SequenceCompareTo(right.Bytes));
        return names;
    }

    public void Dispose() => Descriptor.Dispose();

    /// <summary>An action chooses its file names, so they are made printable.</summary>
    public static FileSystemException Failure(string step, string name, int errno) => new($"{step} {Printable.Quote(name)}", errno);

    private static void AddNames(ReadOnlySpan<byte> records, List<FileName> names)
    {
        while (!records.IsEmpty)
        {
            int recordBytes = BinaryPrimitives.ReadUInt16LittleEndian(records[RecordLengthOffset..]);
            var name = records[RecordNameOffset..recordBytes];
            name = name[..name.IndexOf((byte)0)];
            if (!name.SequenceEqual("."u8) && !name.SequenceEqual(".."u8))
                names.Add(FileName.From(name));
            records = records[recordBytes..];
        }
    }

    private static void Check(int errno, string step, string name)
    {
        if (errno != 0) throw Failure(step, name, errno);
    }

    private SafeFileHandle? TryOpenBeneath(FileName path, OpenFlags flags)
    {
        // O_NOFOLLOW would answer ENOTDIR for a link at the end; NO_SYMLINKS covers that place too, and says ELOOP.
        const Resolve resolve = Resolve.Beneath | Resolve.NoSymlinks | Resolve.NoMagicLinks;
        int errno = Posix.OpenResolved(Descriptor, path, flags, resolve, out var descriptor);
        return errno switch
        {
            0 => descriptor,
            Errno.ENOENT => null,
            _ => throw Failure("open", Join(path), errno),
        };
    }

    private string Join(FileName name) => Path.Length == 0 ? name.ToString() : $"{Path}/{name}";
}
