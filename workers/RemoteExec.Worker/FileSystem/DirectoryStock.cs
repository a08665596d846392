using System.Collections.Concurrent;
using System.Globalization;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// Makes the directories that belong to actions, from empty ones that earlier actions left where it can. A rename costs
/// microseconds on every file system, while a new inode and the removal of an old one cost ext4 without a journal a
/// millisecond each, tens of them for one compilation.
/// </summary>
/// <remarks>
/// Nothing of an earlier action may be met by a later one. So a directory is taken back only when it is empty and all
/// that its owner could have changed about it is as in a fresh one (<see cref="DirectoryTraits"/>), and only where
/// nobody can have kept it open: behind a process wall everything that ran is dead, behind a network wall and with a root
/// of its own nothing could be handed to another action before (SCM_RIGHTS over a socket with an abstract name, or with
/// a path in a common /tmp, unix(7)).
/// </remarks>
internal sealed class DirectoryStock
{
    /// <summary>Behind which nothing of an action is left that could reach its directories.</summary>
    public const SandboxWalls WallsNeeded = SandboxWalls.Root | SandboxWalls.Processes | SandboxWalls.Network;

    // Some large input roots' worth; one block of disk each.
    private const int KeptMax = 4096;

    private readonly DirectoryHandle? _shelf;
    private readonly DirectoryTraits? _fresh;
    private readonly ConcurrentStack<FileName> _names = new();
    private volatile bool _isClosed;
    private int _kept;
    private long _made;

    private DirectoryStock(uint owner, string? path, DirectoryHandle? shelf, DirectoryTraits? fresh)
    {
        Owner = owner;
        Path = path;
        _shelf = shelf;
        _fresh = fresh;
    }

    /// <summary>To whom the directories belong: the user that actions run as.</summary>
    public uint Owner { get; }

    /// <summary>Where the empty directories are; null when none are kept.</summary>
    public string? Path { get; }

    /// <summary>Whether directories come back at all here.</summary>
    public bool TakesBack => _fresh is not null && !_isClosed;

    /// <summary>How many directories lie ready.</summary>
    public int Kept => Volatile.Read(ref _kept);

    /// <summary>Takes nothing back, and makes every directory new.</summary>
    public static DirectoryStock Without(uint owner) => new(owner, path: null, shelf: null, fresh: null);

    /// <summary>Keeps the empty directories in <paramref name="path"/>, an empty directory that only this process enters.</summary>
    public static DirectoryStock Open(string path, uint owner)
    {
        var shelf = DirectoryHandle.Open(path);
        var sample = FileName.From("sample");
        shelf.TryMakeDirectory(sample, owner);
        DirectoryTraits? fresh;
        using (var directory = shelf.TryOpenDirectory(sample))
            fresh = directory is null ? null : DirectoryTraits.TryRead(directory);
        shelf.RemoveEmptyDirectory(sample);
        return new DirectoryStock(owner, path, shelf, fresh);
    }

    /// <summary>Makes an empty directory; false when something is there already.</summary>
    public bool TryMake(DirectoryHandle parent, FileName name)
    {
        while (_names.TryPop(out var kept))
        {
            Interlocked.Decrement(ref _kept);
            try
            {
                if (_shelf!.TryMoveWithoutReplacing(kept, parent, name)) return true;
            }
            catch (FileSystemException)
            {
                // Not every file system can move without replacing, and a full one may not move at all.
                Keep(kept);
                break;
            }
            if (parent.TryStat(name) is null) continue; // somebody cleaned up our shelf: the next, or a new one
            Keep(kept);
            return false;
        }
        return parent.TryMakeDirectory(name, Owner);
    }

    /// <summary>
    /// Takes an entry out of <paramref name="parent"/> to give it to a later action; false, and it stays, when it is not
    /// as good as new.
    /// </summary>
    /// <param name="directory">The entry itself, open and empty.</param>
    public bool TryTakeBack(DirectoryHandle parent, FileName name, DirectoryHandle directory)
    {
        if (!TakesBack || Kept >= KeptMax || DirectoryTraits.TryRead(directory) != _fresh) return false;
        // Unlike rmdir(2), a rename does not mind what is in it.
        directory.Rewind();
        if (directory.ReadNames(0).Count > 0) return false;
        // An action may have set the times.
        if (Posix.Touch(directory.Descriptor) != 0) return false;

        var kept = FileName.From(Interlocked.Increment(ref _made).ToString(CultureInfo.InvariantCulture));
        parent.Move(name, _shelf!, kept);
        Keep(kept);
        return true;
    }

    /// <summary>Takes nothing back any more; what is kept can be removed with <see cref="Path"/>.</summary>
    public void Close()
    {
        _isClosed = true;
        _names.Clear();
        _shelf?.Dispose();
    }

    private void Keep(FileName name)
    {
        Interlocked.Increment(ref _kept);
        _names.Push(name);
    }
}
