using Grpc.Core;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>Puts blobs into input roots: hard links, of the second variant where the executable bit is unwanted.</summary>
internal sealed class FileLinker(DiskBlobStore store)
{
    private const int CopyPieceBytes = 64 << 20;

    /// <summary>Answers what is missing, once each. Links of one directory should follow each other: its path is looked up once.</summary>
    public IReadOnlyList<Digest> Link(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken)
    {
        var missing = new HashSet<Digest>();
        // First the promise for all: from here on nothing of this input root can be evicted.
        store.Promises.PromiseMany(links.Select(link => link.Digest).ToArray(), missing, cancellationToken);

        SafeFileHandle? directory = null;
        try
        {
            string? directoryPath = null;
            for (int i = 0; i < links.Count; i++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                var link = links[i];
                if (missing.Contains(link.Digest)) continue;

                var parent = Path.GetDirectoryName(link.Path.AsSpan());
                if (!parent.SequenceEqual(directoryPath))
                {
                    directory?.Dispose();
                    directoryPath = parent.ToString();
                    int errno = Posix.OpenDirectory(directoryPath, out directory);
                    if (errno != 0) throw StorageErrors.FromErrno(errno, $"opening {directoryPath}", store.Files.Root);
                }

                if (!TryLink(link, directory!)) missing.Add(link.Digest);
            }
        }
        finally
        {
            directory?.Dispose();
        }

        return [.. missing];
    }

    private bool TryLink(in BlobLink link, SafeFileHandle directory)
    {
        string name = Path.GetFileName(link.Path);
        if (link.Digest.IsEmpty)
        {
            CreateFile(directory, name, link.Executable).Dispose();
            return true;
        }

        if (link.IsCopy) return TryCopy(link, directory, name);

        var kind = link.Executable ? BlobFileKinds.Executable : BlobFileKinds.Data;
        if (!TryEnsureFile(link.Digest, kind)) return TryCopy(link, directory, name);

        int errno = store.Files.LinkTo(link.Digest, link.Executable, directory, name);
        return errno switch
        {
            0 => true,
            // Another file system, or as many links as the file system allows (65,000 on ext4).
            Errno.EXDEV or Errno.EMLINK or Errno.EPERM => TryCopy(link, directory, name),
            // Nobody but us removes files here; if somebody did, the blob is a miss like any other.
            Errno.ENOENT when store.Bad.TryLoseFile(link.Digest, kind) => false,
            // Gone meanwhile, and perhaps still elsewhere; or it is the directory that is gone, which the copy will say.
            Errno.ENOENT => TryCopy(link, directory, name),
            _ => throw StorageErrors.FromErrno(errno, $"linking {link.Path}", store.Files.Root),
        };
    }

    private bool TryCopy(in BlobLink link, SafeFileHandle directory, string name)
    {
        using (var from = store.Opener.TryOpen(link.Digest))
        {
            if (from is null) return false;
            using var to = CreateFile(directory, name, link.Executable);
            if (TryFill(to, from, link.Digest)) return true;
            Lose(link.Digest, from);
        }

        _ = Posix.Unlink(directory, name); // a second try makes it anew
        return false;
    }

    /// <summary>
    /// A file of the blob to link: what is in a segment has none yet, and the executable bit belongs to the inode, so there may be two. False
    /// when there is none, for whatever reason: the blob itself may be as it should be.
    /// </summary>
    private bool TryEnsureFile(in Digest digest, BlobFileKinds kind)
    {
        if (store.Index.FilesOf(digest).HasFlag(kind)) return true;

        try
        {
            // It is to be a file anyway: now rather than soon, and not twice.
            return (kind == BlobFileKinds.Executable && store.TryMakeFile(digest)) || TryMakeVariant(digest, kind);
        }
        catch (RpcException full) when (full.StatusCode == StatusCode.ResourceExhausted)
        {
            return false; // where the copy goes there may be room
        }
    }

    private bool TryMakeVariant(in Digest digest, BlobFileKinds kind)
    {
        if (!store.Room.TryReserve(digest.SizeBytes, blobs: 0)) return false;

        bool isSpent = false;
        string? tempName = null;
        try
        {
            using (var from = store.Opener.TryOpen(digest))
            {
                if (from is null) return false;
                using var to = store.Files.CreateTemp(out tempName);
                if (!TryFill(to, from, digest))
                {
                    Lose(digest, from);
                    return false;
                }

                int errno = Posix.ChangeMode(to, kind == BlobFileKinds.Data ? BlobFiles.DataMode : BlobFiles.ExecutableMode);
                if (errno != 0) throw StorageErrors.FromErrno(errno, "protecting a blob", store.Files.Root);
            }

            // Not flushed: a restart that is not sure of the disk drops it.
            isSpent = store.TryPublish(tempName, digest, kind);
            if (isSpent) tempName = null;
            // Somebody else may have been faster. A disk that has no room for the name is no fault of the blob.
            return isSpent || store.Index.FilesOf(digest).HasFlag(kind);
        }
        finally
        {
            if (tempName is not null) store.Files.DeleteTemp(tempName);
            if (!isSpent) store.Index.Release(digest.SizeBytes);
        }
    }

    private SafeFileHandle CreateFile(SafeFileHandle directory, string name, bool executable)
    {
        int errno = Posix.OpenAt(directory, name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, Permissions.Octal0600, out var file);
        if (errno == 0) errno = Posix.ChangeMode(file, executable ? BlobFiles.ExecutableMode : BlobFiles.DataMode);
        if (errno == 0) return file;

        file.Dispose();
        throw StorageErrors.FromErrno(errno, $"creating {name}", store.Files.Root);
    }

    /// <summary>From memory or from a file; false when the disk does not give the blob back.</summary>
    private bool TryFill(SafeFileHandle to, OpenedBlob from, in Digest digest)
    {
        if (from.File is { } file) return TryCopy(file, to, digest.SizeBytes);

        try
        {
            if (from.Frame is { } frame)
            {
                using var inflation = new FrameInflation(frame, digest, from.FrameBytes, store.Disk, to);
                return inflation.GoOn(digest.SizeBytes) == true;
            }

            RandomAccess.Write(to, from.Data, 0);
            return true;
        }
        catch (IOException failed)
        {
            throw StorageErrors.FromErrno(failed.HResult, "copying a blob", store.Files.Root);
        }
    }

    /// <summary>What it was filled from.</summary>
    private void Lose(in Digest digest, OpenedBlob from)
    {
        if (from.File is { } file) store.Bad.LoseFile(digest, BlobFileKinds.Executable, file);
        else store.Bad.LoseFrame(digest, from.FrameBytes, from.Frame);
    }

    private bool TryCopy(SafeFileHandle from, SafeFileHandle to, long sizeBytes)
    {
        if (Posix.Clone(from, to) == 0) return true;

        long read = 0, written = 0;
        while (written < sizeBytes)
        {
            int errno = Posix.CopyRange(from, ref read, to, ref written, Math.Min(CopyPieceBytes, sizeBytes - written), out long copied);
            // Also to learn which of the two files is at fault.
            if (errno is Errno.EXDEV or Errno.ENOSYS or Errno.EINVAL or Errno.EOPNOTSUPP or Errno.EIO)
                return TryCopyThroughMemory(from, to, written, sizeBytes);

            if (errno != 0) throw StorageErrors.FromErrno(errno, "copying a blob", store.Files.Root);
            if (copied == 0) return false;
        }

        return true;
    }

    private bool TryCopyThroughMemory(SafeFileHandle from, SafeFileHandle to, long offset, long sizeBytes)
    {
        byte[] piece = new byte[64 << 10];
        while (offset < sizeBytes)
        {
            int read = TryRead(from, piece, offset);
            if (read == 0) return false;

            try
            {
                RandomAccess.Write(to, piece.AsSpan(0, read), offset);
            }
            catch (IOException failed)
            {
                throw StorageErrors.FromErrno(failed.HResult, "copying a blob", store.Files.Root);
            }

            offset += read;
        }

        return true;
    }

    private int TryRead(SafeFileHandle file, byte[] piece, long offset)
    {
        try
        {
            return store.Disk.Read(file, piece, offset);
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return 0;
        }
        catch (IOException refused)
        {
            // Too little memory or too many files are no fault of the blob.
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", store.Files.Root);
        }
    }
}
