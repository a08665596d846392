using System.Buffers;
using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Sends a blob in pieces, each read into the connection's own buffer where its reader can do that.</summary>
internal sealed class BlobSender(IServerStreamWriter<ReadChunk> responses, IServicesObserver observer)
{
    // Large enough that a message's own cost vanishes, small enough that slow readers hold little of our memory.
    private const int PieceBytes = 256 * 1024;

    // Each piece is flushed and waited for, so a few readers are faster with fewer pieces, and together they hold 64 MiB at most.
    private const int LargePieceBytes = 1024 * 1024;
    private const int LargePiecesMax = 64;

    private static int _sending;

    public async ValueTask SendAsync(IBlobReader reader, long bytes, CancellationToken cancellationToken)
    {
        if (reader is not ISynchronousBlobReader file)
        {
            if (await SendGatheredAsync(reader.ReadAsync, bytes, isCompressed: false, cancellationToken) < bytes) throw ReadChunk.EndsEarly();
            return;
        }

        await SendAsync(file, bytes, isCompressed: false, cancellationToken);
    }

    private async ValueTask SendAsync(ISynchronousBlobReader file, long bytes, bool isCompressed, CancellationToken cancellationToken)
    {
        int pieceMax = Interlocked.Increment(ref _sending) <= LargePiecesMax ? LargePieceBytes : PieceBytes;
        try
        {
            for (int piece; bytes > 0; bytes -= piece)
            {
                piece = (int)Math.Min(bytes, pieceMax);
                await SendAsync(new ReadChunk(file, piece), isCompressed, cancellationToken);
            }
        }
        finally
        {
            Interlocked.Decrement(ref _sending);
        }
    }

    /// <summary>One zstd frame, the stored one if there is one. How long a piece becomes is only known when it is there.</summary>
    public async ValueTask SendCompressedAsync(IBlobReader reader, CancellationToken cancellationToken)
    {
        if (reader is IStoredFrame { Frame: { } frame })
        {
            await SendAsync(frame, frame.RemainingBytes, isCompressed: true, cancellationToken);
            return;
        }

        await using var compressed = new ZstdBlobReader(reader);
        await SendGatheredAsync(compressed.ReadAsync, long.MaxValue, isCompressed: true, cancellationToken);
    }

    /// <summary>Bytes that are in memory already.</summary>
    public async ValueTask SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        for (; !bytes.IsEmpty; bytes = bytes[Math.Min(bytes.Length, PieceBytes)..])
            await responses.WriteAsync(new ReadChunk(bytes[..Math.Min(bytes.Length, PieceBytes)]), cancellationToken);
    }

    /// <summary>How many bytes there were, at most <paramref name="bytes"/>.</summary>
    private async ValueTask<long> SendGatheredAsync(
        Func<Memory<byte>, CancellationToken, ValueTask<int>> read, long bytes, bool isCompressed, CancellationToken cancellationToken)
    {
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        long sent = 0;
        try
        {
            while (sent < bytes && await read(piece.AsMemory(0, (int)Math.Min(bytes - sent, PieceBytes)), cancellationToken) is var count and > 0)
            {
                await SendAsync(new ReadChunk(piece.AsMemory(0, count)), isCompressed, cancellationToken);
                sent += count;
            }

            return sent;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    private Task SendAsync(ReadChunk chunk, bool isCompressed, CancellationToken cancellationToken)
    {
        observer.BlobSent(chunk.DataBytes, isCompressed);
        return responses.WriteAsync(chunk, cancellationToken);
    }
}
