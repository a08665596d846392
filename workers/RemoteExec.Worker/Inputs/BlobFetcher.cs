using System.Buffers;
using System.Collections.Concurrent;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// Brings blobs to this machine. In the all-in-one there is nowhere to bring them from: the local store is the
/// whole truth and <paramref name="remote"/> is null.
/// </summary>
internal sealed class BlobFetcher(ILocalBlobStore local, IBlobStore? remote)
{
    // Enough to fill a fast link with small files; each holds one buffer.
    private const int TransfersMax = 16;

    private const int BufferBytes = 256 * 1024;

    /// <summary>Reads a small blob, here or there; null is a miss.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(Digest digest, int bytesMax, CancellationToken cancellationToken)
    {
        if (await local.ReadAllAsync(digest, bytesMax, cancellationToken) is { } here) return here;
        if (remote is null) return null;
        // Kept for the next action: most messages of an input tree come back unchanged.
        return await FetchAsync(digest, cancellationToken) >= 0
            ? await local.ReadAllAsync(digest, bytesMax, cancellationToken)
            : null;
    }

    /// <summary>Makes every digest present locally, and answers those that exist nowhere.</summary>
    public async ValueTask<FetchOutcome> EnsureLocalAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var absent = await local.FindMissingAsync(digests, cancellationToken);
        if (absent.Count == 0 || remote is null) return new FetchOutcome(absent, FetchedBytes: 0);

        var missing = new ConcurrentBag<Digest>();
        long fetchedBytes = 0;
        var transfers = new ParallelOptions { MaxDegreeOfParallelism = TransfersMax, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(absent, transfers, async (digest, cancelled) =>
        {
            long bytes = await FetchAsync(digest, cancelled);
            if (bytes < 0) missing.Add(digest);
            else Interlocked.Add(ref fetchedBytes, bytes);
        });
        return new FetchOutcome([.. missing], fetchedBytes);
    }

    /// <summary>The bytes that travelled; -1 is a miss.</summary>
    private async ValueTask<long> FetchAsync(Digest digest, CancellationToken cancellationToken)
    {
        await using var reader = await remote!.OpenReadAsync(digest, offset: 0, cancellationToken);
        if (reader is null) return -1;
        await using var writer = await local.CreateWriterAsync(digest, cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(BufferBytes, Math.Max(digest.SizeBytes, 1)));
        try
        {
            long bytes = 0;
            while (!writer.AlreadyPresent)
            {
                int read = await reader.ReadAsync(buffer, cancellationToken);
                if (read == 0) break;
                await writer.AppendAsync(buffer.AsMemory(0, read), cancellationToken);
                bytes += read;
            }
            await writer.CommitAsync(cancellationToken);
            return bytes;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
