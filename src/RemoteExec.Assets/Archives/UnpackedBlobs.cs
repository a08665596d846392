using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Assets;

/// <summary>Stores what an archive holds: small things many at a time, because each flush is dear; a large file by way of the spool.</summary>
internal sealed class UnpackedBlobs(ILocalBlobStore store, Spool spool, DigestFunction function)
{
    private const int SmallBytesMax = 1 << 20;
    private const int BatchBytesMax = 8 << 20;
    private const int BatchCountMax = 512;
    private const int PieceBytes = 128 << 10;

    private readonly List<(Digest Digest, ReadOnlyMemory<byte> Data)> _batch = [];
    private long _batchBytes;

    public async ValueTask<Digest> AddAsync(Stream? content, long lengthBytes, CancellationToken cancellationToken)
    {
        if (content is null || lengthBytes == 0) return Digest.Empty(function);
        if (lengthBytes > SmallBytesMax) return await AddLargeAsync(content, lengthBytes, cancellationToken);

        byte[] data = new byte[lengthBytes];
        await content.ReadExactlyAsync(data, cancellationToken);
        await CheckEndAsync(content, cancellationToken);
        return await AddAsync(data, cancellationToken);
    }

    public async ValueTask<Digest> AddAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (data.IsEmpty) return Digest.Empty(function);

        var digest = Digest.Of(function, data.Span);
        _batch.Add((digest, data));
        _batchBytes += data.Length;
        if (_batchBytes >= BatchBytesMax || _batch.Count >= BatchCountMax) await FlushAsync(cancellationToken);
        return digest;
    }

    /// <summary>All is stored when it returns.</summary>
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        foreach (var status in await store.WriteManyAsync(_batch, cancellationToken))
        {
            if (status.StatusCode != StatusCode.OK) throw RpcErrors.Of(status.StatusCode, status.Detail);
        }

        _batch.Clear();
        _batchBytes = 0;
    }

    private static async ValueTask CheckEndAsync(Stream content, CancellationToken cancellationToken)
    {
        if (await content.ReadAsync(new byte[1], cancellationToken) > 0) throw new InvalidDataException("a file is longer than the archive says");
    }

    private async ValueTask<Digest> AddLargeAsync(Stream content, long lengthBytes, CancellationToken cancellationToken)
    {
        using var file = spool.Create();
        file.Expect(lengthBytes);
        byte[] piece = GC.AllocateUninitializedArray<byte>(PieceBytes);
        while (file.LengthBytes < lengthBytes)
        {
            int read = await content.ReadAsync(piece.AsMemory(0, (int)Math.Min(piece.Length, lengthBytes - file.LengthBytes)), cancellationToken);
            if (read == 0) throw new InvalidDataException("a file is shorter than the archive says");
            await file.AppendAsync(piece.AsMemory(0, read), cancellationToken);
        }

        await CheckEndAsync(content, cancellationToken);
        return await file.StoreAsync(store, function, cancellationToken);
    }
}
