using System.IO.Enumeration;
using System.Runtime.InteropServices;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>What a restart finds of files.</summary>
/// <param name="isVouchedFor">
/// Who is not is asked for its size, which for a million files takes a second or, from a disk, a minute. Null after a loss of power: then nobody is,
/// and what is not flushed, and easily made again, is not kept.
/// </param>
internal sealed class BlobFileScan(BlobFiles files, Func<Digest, bool>? isVouchedFor)
{
    /// <summary>Finds every blob, shards at once and each by itself; puts aside what is no blob, and removes what no run will finish.</summary>
    public async Task<List<StoredBlob>[]> ReadAsync(CancellationToken cancellationToken)
    {
        foreach (string abandoned in Directory.EnumerateFiles(Path.Combine(files.Root, "temp")))
            File.Delete(abandoned);

        var found = new List<StoredBlob>[BlobFiles.ShardCount];
        await Parallel.ForAsync(0, BlobFiles.ShardCount, cancellationToken, (shard, _) =>
        {
            found[shard] = ReadShard(shard);
            return ValueTask.CompletedTask;
        });
        return found;
    }

    private List<StoredBlob> ReadShard(int shard)
    {
        var blobs = new Dictionary<Digest, StoredBlob>();
        var strangers = new List<string>();
        var twice = new List<(Digest Digest, long FrameBytes)>();
        // Names are read while the directory is not changed; moving files comes after.
        var found = new FileSystemEnumerable<(string? Stranger, Digest Digest, bool IsVariant, long FrameBytes)>(
            files.ShardPath(shard),
            (ref FileSystemEntry file) =>
            {
                var name = file.FileName;
                bool isBlob = BlobFileName.TryParse(name, out var digest, out bool isVariant, out long frameBytes)
                    && (isVouchedFor?.Invoke(digest) == true || file.Length == (frameBytes > 0 ? frameBytes : digest.SizeBytes));
                return (isBlob ? null : name.ToString(), digest, isVariant, frameBytes);
            });
        foreach (var (stranger, digest, isVariant, frameBytes) in found)
        {
            if (stranger is not null)
            {
                strangers.Add(stranger);
                continue;
            }

            ref var blob = ref CollectionsMarshal.GetValueRefOrAddDefault(blobs, digest, out bool isKnown);
            if (!isKnown) blob = new StoredBlob(digest, default, BlobFileKinds.None);
            if (frameBytes == 0) blob = blob with { Files = blob.Files | (isVariant ? BlobFileKinds.Data : BlobFileKinds.Executable) };
            else if (blob.FrameBytes == 0) blob = blob with { FrameBytes = frameBytes };
            else twice.Add((digest, frameBytes));
        }

        foreach (string stranger in strangers) files.MoveToQuarantine(files.Shard(shard), stranger);
        foreach (var (digest, frameBytes) in twice) files.UnpublishFrame(digest, frameBytes);
        return isVouchedFor is not null ? [.. blobs.Values] : [.. blobs.Values.Select(Flushed).Where(blob => blob.AccountedBytes > 0)];
    }

    /// <summary>What is left of a blob after a loss of power.</summary>
    private StoredBlob Flushed(StoredBlob blob)
    {
        // With a frame beside it the plain file was made of that.
        var kept = blob.FrameBytes > 0 ? BlobFileKinds.None : BlobFileKinds.Executable;
        if ((blob.Files & ~kept).HasFlag(BlobFileKinds.Executable)) files.Unpublish(blob.Digest);
        if (blob.Files.HasFlag(BlobFileKinds.Data)) files.Unpublish(blob.Digest, isVariant: true);
        return blob with { Files = blob.Files & kept };
    }
}
