using System.Buffers;
using System.Buffers.Binary;
using System.Runtime.InteropServices;
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

    private const int OwnerRights = 0x1C0; // 0700

    private int _descriptor;

    private DirectoryHandle(int descriptor, string path)
    {
        _descriptor = descriptor;
        Path = path;
    }

    ~DirectoryHandle() => Close();

    /// <summary>For messages: where this directory is, relative to where the walk began.</summary>
    public string Path { get; }

    public static DirectoryHandle Open(string path)
    {
        int flags = Libc.OpenReadOnly | Libc.OpenDirectory | Libc.OpenNoFollow | Libc.OpenCloseOnExec;
        int descriptor = Libc.Open(Libc.AtFdCwd, FileName.From(path).Terminated, flags, 0);
        return descriptor >= 0 ? new DirectoryHandle(descriptor, "") : throw FileSystemException.Last("open", path);
    }

    /// <summary>Opens a directory beneath this one; null when there is none.</summary>
    /// <exception cref="FileSystemException">ELOOP: a symbolic link is in the way; ENOTDIR: something else is.</exception>
    public DirectoryHandle? TryOpenDirectory(FileName path)
    {
        int descriptor = OpenBeneath(path, Libc.OpenReadOnly | Libc.OpenDirectory | Libc.OpenCloseOnExec);
        return descriptor >= 0 ? new DirectoryHandle(descriptor, Join(path.ToString())) : null;
    }

    /// <summary>Opens a regular file for reading; null when there is none. Never blocks on a fifo.</summary>
    public SafeFileHandle? TryOpenFile(FileName path)
    {
        int descriptor = OpenBeneath(path, Libc.OpenReadOnly | Libc.OpenNonBlocking | Libc.OpenCloseOnExec);
        return descriptor >= 0 ? new SafeFileHandle(descriptor, ownsHandle: true) : null;
    }

    /// <summary>What an entry of this directory is, itself and not what it points to; null when it is not there.</summary>
    public FileStatus? TryStat(FileName name)
    {
        if (Libc.Stat(_descriptor, name.Terminated, Libc.AtSymlinkNoFollow, FileStatus.BasicMask, out var status) == 0)
            return status;
        int error = Marshal.GetLastPInvokeError();
        return error is Libc.ENOENT ? null : throw new FileSystemException("stat", Join(name.ToString()), error);
    }

    /// <summary>Whether a path ends at a directory when links are followed, but never out of this directory.</summary>
    public bool LeadsToDirectory(FileName path)
    {
        int flags = Libc.OpenPath | Libc.OpenDirectory | Libc.OpenCloseOnExec;
        int descriptor = Libc.OpenResolved(_descriptor, path.Terminated, flags, Libc.ResolveBeneath | Libc.ResolveNoMagicLinks);
        if (descriptor < 0) return false;
        _ = Libc.Close(descriptor);
        return true;
    }

    /// <summary>What this directory itself is.</summary>
    public FileStatus Stat() =>
        Libc.Stat(_descriptor, "\0"u8, Libc.AtEmptyPath, FileStatus.BasicMask, out var status) == 0
            ? status
            : throw FileSystemException.Last("stat", Path);

    public static FileStatus Stat(SafeFileHandle file)
    {
        bool held = false;
        try
        {
            file.DangerousAddRef(ref held);
            int result = Libc.Stat((int)file.DangerousGetHandle(), "\0"u8, Libc.AtEmptyPath, FileStatus.BasicMask, out var status);
            return result == 0 ? status : throw FileSystemException.Last("stat", "an open file");
        }
        finally
        {
            if (held) file.DangerousRelease();
        }
    }

    public FileName ReadSymlink(FileName name)
    {
        Span<byte> target = stackalloc byte[4096]; // PATH_MAX: no longer link can be made
        nint length = Libc.ReadSymlink(_descriptor, name.Terminated, target, (nuint)target.Length);
        return length >= 0
            ? FileName.From(target[..(int)length])
            : throw FileSystemException.Last("readlink", Join(name.ToString()));
    }

    /// <summary>Makes a directory owned by <paramref name="owner"/>; false when something is there already.</summary>
    public bool TryMakeDirectory(FileName name, uint owner)
    {
        if (Libc.MakeDirectory(_descriptor, name.Terminated, 0x1ED /* 0755 */) != 0)
        {
            int error = Marshal.GetLastPInvokeError();
            return error is Libc.EEXIST ? false : throw new FileSystemException("mkdir", Join(name.ToString()), error);
        }
        if (owner != Libc.EffectiveUser()
            && Libc.ChangeOwner(_descriptor, name.Terminated, owner, owner, Libc.AtSymlinkNoFollow) != 0)
        {
            throw FileSystemException.Last("chown", Join(name.ToString()));
        }
        return true;
    }

    /// <summary>Removes an entry that is no directory; false when it is one.</summary>
    public bool TryUnlink(FileName name)
    {
        if (Libc.Unlink(_descriptor, name.Terminated, 0) == 0) return true;
        int error = Marshal.GetLastPInvokeError();
        const int EISDIR = 21, EPERM = 1; // unlink(2): Linux says EISDIR, POSIX EPERM
        return error switch
        {
            Libc.ENOENT => true,
            EISDIR or EPERM => false,
            _ => throw new FileSystemException("unlink", Join(name.ToString()), error),
        };
    }

    public void RemoveEmptyDirectory(FileName name)
    {
        if (Libc.Unlink(_descriptor, name.Terminated, Libc.AtRemoveDir) != 0
            && Marshal.GetLastPInvokeError() is var error and not Libc.ENOENT)
        {
            throw new FileSystemException("rmdir", Join(name.ToString()), error);
        }
    }

    public void Move(FileName name, DirectoryHandle toDirectory, FileName to)
    {
        if (Libc.Rename(_descriptor, name.Terminated, toDirectory._descriptor, to.Terminated) != 0)
            throw FileSystemException.Last("rename", Join(name.ToString()));
    }

    /// <summary>As <see cref="Move"/>; false when there is nothing to move, or something where it should go.</summary>
    public bool TryMoveWithoutReplacing(FileName name, DirectoryHandle toDirectory, FileName to)
    {
        if (Libc.RenameWithoutReplacing(_descriptor, name.Terminated, toDirectory._descriptor, to.Terminated) == 0) return true;
        int error = Marshal.GetLastPInvokeError();
        return error is Libc.ENOENT or Libc.EEXIST ? false : throw new FileSystemException("rename", Join(name.ToString()), error);
    }

    /// <summary>Gives the owner every right on a directory, should an action have taken one away.</summary>
    public void Unlock(FileName name)
    {
        if (TryStat(name) is { Kind: FileKind.Directory } status && (status.Mode & OwnerRights) != OwnerRights)
            _ = Libc.ChangeModeAt(_descriptor, name.Terminated, OwnerRights, 0);
    }

    /// <summary>Lends the descriptor for a call that has no word here; it must not outlive this handle.</summary>
    public int Descriptor => _descriptor;

    /// <summary>Reads the names from the start again: removal has changed them.</summary>
    public void Rewind()
    {
        if (Libc.Seek(_descriptor, 0, 0) < 0) throw FileSystemException.Last("seek", Path);
    }

    /// <summary>The names in this directory without "." and "..", in the order of their bytes.</summary>
    public List<FileName> ReadNames(int namesMax)
    {
        var names = new List<FileName>();
        byte[] records = ArrayPool<byte>.Shared.Rent(RecordsBytes);
        try
        {
            while (true)
            {
                int length = Libc.ReadDirectory(_descriptor, records);
                if (length < 0) throw FileSystemException.Last("getdents", Path);
                if (length == 0) break;
                AddNames(records.AsSpan(0, length), names);
                if (names.Count > namesMax) break;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(records);
        }
        names.Sort(static (left, right) => left.Bytes.SequenceCompareTo(right.Bytes));
        return names;
    }

    public void Dispose()
    {
        Close();
        GC.SuppressFinalize(this);
    }

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

    private int OpenBeneath(FileName path, int flags)
    {
        // O_NOFOLLOW would answer ENOTDIR for a link at the end; NO_SYMLINKS covers that place too, and says ELOOP.
        ulong resolve = Libc.ResolveBeneath | Libc.ResolveNoSymlinks | Libc.ResolveNoMagicLinks;
        int descriptor = Libc.OpenResolved(_descriptor, path.Terminated, flags, resolve);
        if (descriptor >= 0) return descriptor;
        int error = Marshal.GetLastPInvokeError();
        return error is Libc.ENOENT ? -1 : throw new FileSystemException("open", Join(path.ToString()), error);
    }

    private string Join(string name) => Path.Length == 0 ? name : $"{Path}/{name}";

    private void Close()
    {
        int descriptor = Interlocked.Exchange(ref _descriptor, -1);
        if (descriptor >= 0) _ = Libc.Close(descriptor);
    }
}
