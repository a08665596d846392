using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>
/// A blob store whose blobs are files of this machine: input roots are hard links into it, and outputs become blobs
/// without their bytes being copied.
/// </summary>
/// <remarks>
/// Stored files belong to the server's user and have no write bit. That alone does not protect them from an action
/// that runs as their owner or as root: the sandbox must map another user (TRUST, hard-link tampering).
/// </remarks>
public interface ILocalBlobStore : IBlobStore
{
    /// <summary>
    /// Makes a read-only file at each path, which must not exist: a hard link where possible, else a reflink, else a copy. Mode 0555
    /// if executable, else 0444. Answers the digests that are not here, once each.
    /// The empty blob is a fresh file each time: an in-place write to a shared empty file would reach every other one.
    /// </summary>
    ValueTask<IReadOnlyList<Digest>> LinkManyAsync(IReadOnlyList<BlobLink> links, CancellationToken cancellationToken);

    /// <summary>Stores a copy of an open regular file, and says what it was. The file may have other owners.</summary>
    ValueTask<Digest> ImportFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken);

    /// <summary>
    /// Stores an open regular file that the caller gives away: if it is on the store's file system, has no other link
    /// and nobody has it open for writing, the file itself becomes the blob (owner and mode change; the caller's name
    /// for it stays and may be removed). Otherwise as <see cref="ImportFileAsync"/>.
    /// </summary>
    ValueTask<Digest> TakeFileAsync(DigestFunction function, SafeFileHandle file, CancellationToken cancellationToken);

    /// <summary>Puts a blob aside whose file was found to be another content than its digest's: from now on it is a miss.</summary>
    void PutAside(Digest digest);
}
