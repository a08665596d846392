using RemoteExec.Storage;

namespace RemoteExec.Client;

/// <summary>Uploads what the server lacks: one question, then small blobs in batches and large ones as streams.</summary>
public sealed class BlobUploader(IBlobStore blobs)
{
    // What fits comfortably into a batch; larger blobs stream.
    private const int BatchedBytesMax = 64 << 10;

    // Large uploads share one connection; more at a time only share its bandwidth.
    private const int StreamsAtOnce = 4;

    /// <summary>Answers what was sent; the rest was there already.</summary>
    /// <exception cref="Grpc.Core.RpcException">The first upload that was refused.</exception>
    public async Task<UploadSummary> UploadAsync(IReadOnlyCollection<LocalBlob> all, CancellationToken cancellationToken)
    {
        var byDigest = all.DistinctBy(b => b.Digest).ToDictionary(b => b.Digest);
        var missing = await blobs.FindMissingAsync([.. byDigest.Keys], cancellationToken);
        var lacking = missing.Select(d => byDigest[d]).ToList();

        var small = new List<(Digest, ReadOnlyMemory<byte>)>();
        foreach (var blob in lacking.Where(b => b.Digest.SizeBytes <= BatchedBytesMax))
            small.Add((blob.Digest, await ReadAsync(blob, cancellationToken)));
        foreach (var status in await blobs.WriteManyAsync(small, cancellationToken))
        {
            if (status.StatusCode != Grpc.Core.StatusCode.OK)
                throw new Grpc.Core.RpcException(status);
        }

        var parallel = new ParallelOptions { MaxDegreeOfParallelism = StreamsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(lacking.Where(b => b.Digest.SizeBytes > BatchedBytesMax), parallel,
            async (blob, cancellation) => await StreamAsync(blob, cancellation));
        return new UploadSummary(lacking.Count, lacking.Sum(b => b.Digest.SizeBytes));
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

    private async ValueTask StreamAsync(LocalBlob blob, CancellationToken cancellationToken)
    {
        await using var writer = await blobs.CreateWriterAsync(blob.Digest, cancellationToken);
        await using var file = blob.Open();
        byte[] buffer = System.Buffers.ArrayPool<byte>.Shared.Rent(LocalBlob.FileBufferBytes);
        try
        {
            int read;
            while (!writer.AlreadyPresent && (read = await file.ReadAsync(buffer, cancellationToken)) > 0)
                await writer.AppendAsync(buffer.AsMemory(0, read), cancellationToken);
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(buffer);
        }

        await writer.CommitAsync(cancellationToken);
    }
}
