using System.Buffers;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>Brings the blobs of a result to where clients look for them, before the result is told (REAPI X16).</summary>
internal sealed class OutputUploader(ILocalBlobStore local, IBlobStore remote)
{
    private const int TransfersMax = 16;
    private const int BufferBytes = 256 * 1024;

    public async ValueTask UploadAsync(IReadOnlyCollection<Digest> digests, CancellationToken cancellationToken)
    {
        if (digests.Count == 0) return;
        var absent = await remote.FindMissingAsync([.. digests], cancellationToken);
        var transfers = new ParallelOptions { MaxDegreeOfParallelism = TransfersMax, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(absent, transfers, UploadAsync);
    }

    private async ValueTask UploadAsync(Digest digest, CancellationToken cancellationToken)
    {
        await using var reader = await local.OpenReadAsync(digest, offset: 0, cancellationToken)
            ?? throw RpcErrors.Of(StatusCode.Unavailable, $"output {digest} is gone from the worker's own store");
        await using var writer = await remote.CreateWriterAsync(digest, cancellationToken);
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            while (!writer.AlreadyPresent)
            {
                int read = await reader.ReadAsync(buffer, cancellationToken);
                if (read == 0) break;
                await writer.AppendAsync(buffer.AsMemory(0, read), cancellationToken);
            }
            await writer.CommitAsync(cancellationToken);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
