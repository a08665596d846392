using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>Uploads what the server lacks: one question, then small blobs in batches and large ones as streams.</summary>
public sealed class BlobUploader(IBlobStore blobs)
{
    // What fits comfortably into a batch; larger blobs stream.
    private const int BatchedBytesMax = 64 << 10;

    // Small blobs read ahead of their upload: bounds memory however many files a tree has.
    private const int RoundBytesMax = 8 << 20;

    // Large uploads share one connection; more at a time only share its bandwidth.
    private const int StreamsAtOnce = 4;

    /// <summary>Called when it is known what will be sent.</summary>
    public Action<UploadSummary>? Planned { get; init; }

    /// <summary>Called with the bytes of each piece that is on its way; those of a stream that broke count again.</summary>
    public Action<long>? Moved { get; init; }

    /// <summary>Answers what was sent; the rest was there already.</summary>
    /// <exception cref="RpcException">The first upload that was refused.</exception>
    public async Task<UploadSummary> UploadAsync(IReadOnlyCollection<LocalBlob> all, CancellationToken cancellationToken)
    {
        var distinct = all.DistinctBy(b => b.Digest).ToList();
        var missing = (await blobs.FindMissingAsync([.. distinct.Select(b => b.Digest)], cancellationToken)).ToHashSet();
        var lacking = distinct.Where(b => missing.Contains(b.Digest)).ToList();
        var plan = new UploadSummary(lacking.Count, lacking.Sum(b => b.Digest.SizeBytes));
        Planned?.Invoke(plan);

        var round = new List<(Digest, ReadOnlyMemory<byte>)>();
        long roundBytes = 0;
        foreach (var blob in lacking.Where(b => b.Digest.SizeBytes <= BatchedBytesMax))
        {
            round.Add((blob.Digest, await ReadAsync(blob, cancellationToken)));
            roundBytes += blob.Digest.SizeBytes;
            if (roundBytes < RoundBytesMax) continue;

            await WriteAsync(round, cancellationToken);
            round.Clear();
            roundBytes = 0;
        }

        await WriteAsync(round, cancellationToken);
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = StreamsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(lacking.Where(b => b.Digest.SizeBytes > BatchedBytesMax), parallel,
            async (blob, cancellation) => await StreamAsync(blob, cancellation));
        return plan;
    }

    private async ValueTask WriteAsync(List<(Digest, ReadOnlyMemory<byte>)> round, CancellationToken cancellationToken)
    {
        foreach (var status in await blobs.WriteManyAsync(round, cancellationToken))
        {
            if (status.StatusCode != StatusCode.OK)
                throw new RpcException(status);
        }

        Moved?.Invoke(round.Sum(blob => blob.Item1.SizeBytes));
    }

    private static async ValueTask<ReadOnlyMemory<byte>> ReadAsync(LocalBlob blob, CancellationToken cancellationToken)
    {
        if (blob.TryGetBytes(out var bytes)) return bytes;

        await using var file = blob.Open();
        byte[] content = new byte[blob.Digest.SizeBytes];
        // A file that shrank meanwhile is sent as it is: the server compares it with its digest and refuses.
        int read = await file.ReadAtLeastAsync(content, content.Length, throwOnEndOfStream: false, cancellationToken);
        return content.AsMemory(0, read);
    }

    private async ValueTask StreamAsync(LocalBlob blob, CancellationToken cancellationToken) =>
        await blobs.WriteFromAsync(blob.Digest, (offset, _) => ValueTask.FromResult<IBlobReader?>(LocalBlobReader.Open(blob, offset, Moved)), cancellationToken);
}
