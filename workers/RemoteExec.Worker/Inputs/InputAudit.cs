using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// The second measure against an action that alters its inputs (TRUST 3, hard-link tampering): the first is that
/// their owner is not mapped in its user namespace. After the command every linked input is looked at, and one
/// whose size is wrong or that was written to since the command began is hashed again.
/// </summary>
/// <remarks>
/// The look is one statx(2) per file. Not at the change time nor the link count: both move whenever another action
/// links the same blob. A name that the action removed or replaced says nothing about the blob.
/// </remarks>
/// <param name="checkPath">Where suspects are linked to be looked at; a number is appended.</param>
internal sealed class InputAudit(ILocalBlobStore store, InputTree tree, string root, string checkPath)
{
    // Taken when the inputs are in place. The time comes from the file system, which stamps files with a clock of its own and never
    // backwards: the root changed when its first entry was put there, so what the command writes is not stamped earlier.
    private readonly (long Seconds, uint Nanoseconds) _begunAt =
        (TryStat(root) ?? throw DirectoryHandle.Failure("stat", root, Errno.ENOENT)).Modified;

    private int _checks;

    /// <summary>The first input whose content is not its digest's any more; null when all stand.</summary>
    public async ValueTask<BlobLink?> FindAlteredAsync(CancellationToken cancellationToken)
    {
        foreach (var file in tree.Files)
        {
            if (IsSuspect(file) && !await IsIntactAsync(file, cancellationToken)) return file;
        }
        return null;
    }

    private bool IsSuspect(BlobLink file)
    {
        // A file with one link is the action's own: a copy, or the empty one.
        if (TryStat($"{root}/{file.Path}") is not { Links: > 1 } status || status.Kind != FileKind.Regular) return false;
        return status.SizeBytes != file.Digest.SizeBytes || status.Modified.CompareTo(_begunAt) >= 0;
    }

    /// <summary>
    /// Hashes the store's own file, reached by a link of ours: the name in the input root is the action's by now, and
    /// may be a file of its making. An innocent suspect exists too, a blob stored in the tick in which the command began.
    /// </summary>
    private async ValueTask<bool> IsIntactAsync(BlobLink file, CancellationToken cancellationToken)
    {
        string path = $"{checkPath}-{_checks++}";
        if (!await store.TryLinkAsync(file.Digest, file.Executable, path, cancellationToken)) return true; // evicted: nobody gets it
        if (TryStat(path)?.Inode != TryStat($"{root}/{file.Path}")?.Inode) return true;

        // Not by File.OpenHandle, which wants flock(2): another action with the same input may hold that for as long as it likes.
        int errno = Posix.Open(path, OpenFlags.Read, out var opened);
        if (errno != 0) throw DirectoryHandle.Failure("open", path, errno);
        using var handle = opened;
        using var hasher = DigestHasher.Create(file.Digest.Function, file.Digest.SizeBytes);
        byte[] buffer = new byte[64 * 1024];
        for (long offset = 0; ;)
        {
            int read = await RandomAccess.ReadAsync(handle, buffer, offset, cancellationToken);
            if (read == 0) break;
            hasher.Append(buffer.AsSpan(0, read));
            offset += read;
        }
        return hasher.Finish() == file.Digest;
    }

    private static FileStatus? TryStat(string path) => Posix.Stat(path, out var status) == 0 ? status : null;
}
