using System.Collections.Concurrent;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// After a loss of power: a file was flushed before anybody was told of it, and a disk that lied about that is found out here. What an index calls
/// unsure is hashed on its first use, and then sure, or a miss.
/// </summary>
/// <remarks>
/// Records of segments have a checksum that each reading compares, and files that were made unflushed are made again by the restart. Asking whether a
/// blob is there is no use. A hit of the action cache is one, up to <see cref="HitBytesMax"/>: its client may not ask for the outputs before
/// the build that needs them, and a miss would end that; the scrub sees to the others.
/// </remarks>
internal sealed class FirstUses(DiskBlobStore store, long readTwiceBytesMax)
{
    // A few milliseconds of hashing, for each hit.
    private const long HitBytesMax = 4 << 20;

    private readonly ConcurrentDictionary<Digest, Task<bool>> _checks = new();

    /// <summary>All are sure, as they always are but after a loss of power.</summary>
    public bool AreOver => store.Index.UnsureCount == 0;

    /// <summary>A large one that is read from the beginning is hashed on the way: the disk would have to give it back twice.</summary>
    public bool IsWhileRead(in Digest digest, long offset) =>
        offset == 0 && digest.SizeBytes > readTwiceBytesMax && store.Index.Find(digest) is { IsUnsure: true, FrameBytes: 0 };

    /// <summary>Whether a blob may be used; if it may not, it is a miss from now on. Once for all who ask at the same time; who leaves takes nobody along.</summary>
    public async ValueTask<bool> CheckAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (!store.Index.IsUnsure(digest)) return true;

        var own = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        var check = _checks.GetOrAdd(digest, own.Task);
        if (check == own.Task) _ = LeadAsync(digest, own);
        return await check.WaitAsync(cancellationToken);
    }

    public async ValueTask CheckManyAsync(IEnumerable<Digest> digests, CancellationToken cancellationToken)
    {
        if (AreOver) return;
        foreach (var digest in digests) await CheckAsync(digest, cancellationToken);
    }

    public async ValueTask CheckHitAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        if (AreOver) return;

        long bytes = 0;
        foreach (var digest in digests)
        {
            if (!store.Index.IsUnsure(digest) || bytes + digest.SizeBytes > HitBytesMax) continue;
            bytes += digest.SizeBytes;
            await CheckAsync(digest, cancellationToken);
        }
    }

    /// <summary>The same of one whose bytes were read for whoever wanted them.</summary>
    public bool Check(in Digest digest, ReadOnlySpan<byte> data) => AreOver || !store.Index.IsUnsure(digest) || Decide(digest, Digest.Of(digest.Function, data) == digest);

    /// <summary>It was hashed.</summary>
    public bool Decide(in Digest digest, bool isGood)
    {
        if (isGood) store.Index.Trust(digest);
        else store.Bad.Quarantine(digest);
        return isGood;
    }

    private async Task LeadAsync(Digest digest, TaskCompletionSource<bool> check)
    {
        try
        {
            bool isGood = false;
            await store.Bulk.RunAsync(() => isGood = !store.Index.IsUnsure(digest) || Decide(digest, IsGood(digest)));
            _checks.TryRemove(digest, out _);
            check.SetResult(isGood);
        }
        catch (Exception failure)
        {
            // Of whatever type, it is that of who asks for this blob; the next one tries again.
            _checks.TryRemove(digest, out _);
            check.SetException(failure);
        }
    }

    private bool IsGood(in Digest digest)
    {
        try
        {
            // Not there any more, and so no news to anybody.
            if (store.Index.Find(digest) is not { } blob) return false;

            using var file = blob.FrameBytes > 0 ? store.Files.TryOpenFrame(digest, blob.FrameBytes) : store.Files.TryOpen(digest);
            return file is not null
                && (blob.FrameBytes > 0 ? FrameFile.IsGood(file, digest, blob.FrameBytes, store.Disk) : FileContent.Is(file, digest, store.Disk));
        }
        catch (IOException refused)
        {
            // Too little memory or too many files are no fault of the blob.
            throw StorageErrors.FromErrno(refused.HResult, "reading a blob", store.Files.Root);
        }
    }
}
