using System.Globalization;
using System.IO.Enumeration;
using Microsoft.Win32.SafeHandles;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The layout on disk and the file operations of a store, by descriptor of their directory:
/// <code>
/// lock                         held while a server uses the directory
/// uses                         the use log
/// unsure                       <see cref="LossNote"/>
/// blobs/0 … blobs/f            sha256-HASH-SIZE       mode 0555
///                              sha256-HASH-SIZE.data  mode 0444, made on demand
///                              sha256-HASH-SIZE.BYTES.zst  mode 0555: the same as one zstd frame of so many bytes
/// segments/N, N.dead           many small blobs in one file (<see cref="SegmentFormat"/>)
/// temp/                        uploads under way and blobs being deleted; emptied at start
/// quarantine/                  files that were not what their name says
/// </code>
/// Sixteen wide directories: commits of one batch share the flush of few directories, and ext4 finds names by hash.
/// </summary>
internal sealed class BlobFiles : IDisposable
{
    public const uint ExecutableMode = Permissions.Octal0555;
    public const uint DataMode = Permissions.Octal0444;

    public const int ShardCount = 16;

    // Enough to study a fault, too few to fill a disk.
    private const int QuarantinedFilesMax = 32;

    private readonly SafeFileHandle[] _shards = new SafeFileHandle[ShardCount];
    private readonly SafeFileHandle _temp;
    private readonly SafeFileHandle _quarantine;
    private readonly FileStream _lock;
    private long _lastTemp;

    private BlobFiles(string root, FileStream held)
    {
        Root = root;
        _lock = held;
        for (int shard = 0; shard < ShardCount; shard++)
            _shards[shard] = OpenDirectory(ShardPath(shard));
        _temp = OpenDirectory(Path.Combine(root, "temp"));
        _quarantine = OpenDirectory(Path.Combine(root, "quarantine"));
        Device = FileStatus.Of(_temp).Device;
    }

    public string Root { get; }

    /// <summary>Says which file system the blobs are on.</summary>
    public (uint Major, uint Minor) Device { get; }

    public string UseLogPath => Path.Combine(Root, "uses");

    public string SegmentsPath => Path.Combine(Root, "segments");

    public string LossNotePath => Path.Combine(Root, "unsure");

    /// <summary>Makes what is missing, and takes the directory for this process alone.</summary>
    /// <exception cref="StorageDirectoryException"/>
    public static BlobFiles Open(string root, IDisk disk)
    {
        root = Path.GetFullPath(root);
        try
        {
            DurableDirectory.Create(disk, root);
            var held = TakeLock(root);
            try
            {
                // Their names must last as long as those of the blobs in them. In a directory that was used before this writes nothing.
                DurableDirectory.Create(
                    disk,
                    [
                        .. Enumerable.Range(0, ShardCount).Select(shard => Path.Combine(root, "blobs", ShardName(shard))),
                        Path.Combine(root, "segments"),
                        Path.Combine(root, "temp"),
                        Path.Combine(root, "quarantine"),
                    ]);
                return new BlobFiles(root, held);
            }
            catch
            {
                held.Dispose(); // whoever sets it right may try again
                throw;
            }
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            string sentence = failed switch
            {
                UnauthorizedAccessException =>
                    $"The data directory {root} is not writable for this user: choose another with --data-dir, or change its owner.",
                { HResult: Errno.EROFS } =>
                    $"The data directory {root} is on a read-only file system: choose another with --data-dir, or remount it writable.",
                _ when Errno.IsOutOfRoom(failed) =>
                    $"The disk of the data directory {root} is full: free some space there, or choose another with --data-dir.",
                _ => $"The data directory {root} cannot be used: {failed.Message}",
            };
            throw new StorageDirectoryException(sentence, failed);
        }
    }

    public static string NameOf(in Digest digest) => BlobFileName.Of(digest);

    /// <summary>The directory that a blob's files are in.</summary>
    public SafeFileHandle ShardOf(in Digest digest) => _shards[ShardNumber(digest)];

    public static int ShardNumber(in Digest digest)
    {
        Span<byte> hash = stackalloc byte[DigestFunctions.HashBytesMax];
        digest.CopyHashTo(hash);
        return hash[0] >> 4;
    }

    public SafeFileHandle Shard(int number) => _shards[number];

    /// <summary>Opens a blob's file; null when there is none, or none that the disk gives back.</summary>
    public SafeFileHandle? TryOpen(in Digest digest, bool isVariant = false)
    {
        return TryOpen(ShardOf(digest), BlobFileName.Of(digest, isVariant));
    }

    /// <summary>The same of the file that is a frame.</summary>
    public SafeFileHandle? TryOpenFrame(in Digest digest, long frameBytes) => TryOpen(ShardOf(digest), BlobFileName.OfFrame(digest, frameBytes));

    private SafeFileHandle? TryOpen(SafeFileHandle shard, string name)
    {
        int errno = Posix.OpenAt(shard, name, OpenFlags.Read, 0, out var file);
        return errno switch
        {
            0 => file,
            Errno.ENOENT => null,
            _ when Errno.IsUnreadable(errno) => null,
            _ => throw StorageErrors.FromErrno(errno, "opening a blob", Root),
        };
    }

    /// <summary>Whether a blob has this file; one that cannot be opened is one.</summary>
    public bool Has(in Digest digest, bool isVariant)
    {
        int errno = Posix.OpenAt(ShardOf(digest), BlobFileName.Of(digest, isVariant), OpenFlags.Read, 0, out var file);
        file.Dispose();
        return errno != Errno.ENOENT;
    }

    /// <summary>Whether a name leads to what was opened by it; null is what could not be opened. What has lost its name counts as if it did.</summary>
    public static bool IsStill(SafeFileHandle? opened, SafeFileHandle? present)
    {
        if (opened is null || present is null) return present is null;
        // A disk that does not tell is no better than what was read.
        return Posix.Stat(opened, out var then) != 0 || Posix.Stat(present, out var now) != 0 || (then.Device, then.Inode) == (now.Device, now.Inode);
    }

    public SafeFileHandle CreateTemp(out string name)
    {
        name = NextTempName();
        int errno = Posix.OpenAt(_temp, name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, Permissions.Octal0600, out var file);
        return errno == 0 ? file : throw StorageErrors.FromErrno(errno, "creating a file", Root);
    }

    public void DeleteTemp(string name) => _ = Posix.Unlink(_temp, name); // the next start removes what this cannot

    /// <summary>Gives a finished temp its name, unless the name is taken; 0 or the errno.</summary>
    public int PublishTemp(string name, in Digest digest, bool isVariant = false) =>
        Posix.RenameWithoutReplace(_temp, name, ShardOf(digest), BlobFileName.Of(digest, isVariant));

    /// <summary>The same of a file that is a frame.</summary>
    public int PublishFrame(string name, in Digest digest, long frameBytes) =>
        Posix.RenameWithoutReplace(_temp, name, ShardOf(digest), BlobFileName.OfFrame(digest, frameBytes));

    public void UnpublishFrame(in Digest digest, long frameBytes) => _ = Posix.Unlink(ShardOf(digest), BlobFileName.OfFrame(digest, frameBytes));

    /// <summary>Gives an open file a blob's name, unless the name is taken; 0 or the errno.</summary>
    public int PublishDescriptor(SafeFileHandle file, in Digest digest) =>
        Posix.LinkDescriptor(file, ShardOf(digest), NameOf(digest));

    /// <summary>Takes a blob that was never indexed back.</summary>
    public void Unpublish(in Digest digest, bool isVariant = false) => _ = Posix.Unlink(ShardOf(digest), BlobFileName.Of(digest, isVariant));

    public int LinkTo(in Digest digest, bool executable, SafeFileHandle directory, string name) =>
        Posix.Link(ShardOf(digest), BlobFileName.Of(digest, isVariant: !executable), directory, name);

    /// <summary>Moves a blob's files out of sight; the names are free at once, <see cref="DeleteTemp"/> frees the bytes.</summary>
    public void Hide(StoredBlob blob, List<string> hidden)
    {
        if (blob.Files.HasFlag(BlobFileKinds.Executable)) Hide(blob.Digest, NameOf(blob.Digest), hidden);
        if (blob.Files.HasFlag(BlobFileKinds.Data)) Hide(blob.Digest, BlobFileName.Of(blob.Digest, isVariant: true), hidden);
        if (blob.FrameBytes > 0) Hide(blob.Digest, BlobFileName.OfFrame(blob.Digest, blob.FrameBytes), hidden);
    }

    /// <summary>Keeps a bad blob's files as evidence, a bounded number of them.</summary>
    public void Quarantine(StoredBlob blob)
    {
        if (blob.Files.HasFlag(BlobFileKinds.Data)) Unpublish(blob.Digest, isVariant: true);
        if (blob.Files.HasFlag(BlobFileKinds.Executable)) MoveToQuarantine(ShardOf(blob.Digest), NameOf(blob.Digest));
        if (blob.FrameBytes > 0) MoveToQuarantine(ShardOf(blob.Digest), BlobFileName.OfFrame(blob.Digest, blob.FrameBytes));
    }

    public void Dispose()
    {
        foreach (var shard in _shards) shard.Dispose();
        _temp.Dispose();
        _quarantine.Dispose();
        _lock.Dispose();
    }

    private static FileStream TakeLock(string root)
    {
        string path = Path.Combine(root, "lock");
        try
        {
            // FileShare.None is flock(2): the kernel lets go of it however the process ends.
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException held) when (held.HResult == Errno.EAGAIN)
        {
            throw new StorageDirectoryException(
                $"The data directory {root} is in use by another server: stop that one, or choose another with --data-dir.", held);
        }
    }

    private static string ShardName(int shard) => shard.ToString("x", CultureInfo.InvariantCulture);

    private static SafeFileHandle OpenDirectory(string path)
    {
        int errno = Posix.OpenDirectory(path, out var directory);
        return errno == 0 ? directory : throw new FileSystemException($"opening {path}", errno);
    }

    public string ShardPath(int shard) => Path.Combine(Root, "blobs", ShardName(shard));

    private string NextTempName() => Interlocked.Increment(ref _lastTemp).ToString("x", CultureInfo.InvariantCulture);

    private void Hide(in Digest digest, string name, List<string> hidden)
    {
        string temp = NextTempName();
        int errno = Posix.Rename(ShardOf(digest), name, _temp, temp);
        if (errno == 0) hidden.Add(temp);
        else if (errno != Errno.ENOENT) throw StorageErrors.FromErrno(errno, "evicting a blob", Root);
    }

    public void MoveToQuarantine(SafeFileHandle shard, string name)
    {
        if (!IsRoomInQuarantine() || Posix.Rename(shard, name, _quarantine, name) != 0) _ = Posix.Unlink(shard, name);
    }

    private bool IsRoomInQuarantine()
    {
        try
        {
            return Directory.EnumerateFiles(Path.Combine(Root, "quarantine")).Count() < QuarantinedFilesMax;
        }
        catch (IOException)
        {
            return false; // whatever else is wrong with this disk: the bad blob goes
        }
    }
}
