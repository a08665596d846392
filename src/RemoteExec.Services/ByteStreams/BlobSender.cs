using System.Buffers;
using Google.Bytestream;
using Google.Protobuf;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Sends a blob as ReadResponse messages, reading each piece into the connection's own buffer.
/// <code>
/// | 0x52 (field 10, bytes) | length (varint) | data |
/// </code>
/// </summary>
internal sealed class BlobSender(MessageWriter responses, IServicesObserver observer)
{
    private const byte DataTag = (ReadResponse.DataFieldNumber << 3) | ProtoScanner.Bytes;

    // Large enough that a message's own cost vanishes, small enough that slow readers hold little of our memory.
    private const int PieceBytes = 256 * 1024;

    public async ValueTask SendAsync(IBlobReader reader, long bytes, CancellationToken cancellationToken)
    {
        while (bytes > 0)
        {
            int piece = (int)Math.Min(bytes, PieceBytes);
            Begin(piece);
            for (int left = piece; left > 0;)
            {
                int read = await reader.ReadAsync(responses.GetMemory(left)[..left], cancellationToken);
                // A store that runs dry here leaves the message unfinished, and the call is reset: never a short blob.
                if (read == 0) throw new EndOfStreamException("the blob is shorter than its digest says");
                responses.Advance(read);
                left -= read;
            }

            observer.BlobSent(piece, isCompressed: false);
            // False: the client has heard enough.
            if (!await responses.EndMessageAsync(cancellationToken)) return;
            bytes -= piece;
        }
    }

    /// <summary>One zstd frame. How long a piece becomes is only known when it is there, so pieces go through a buffer.</summary>
    public async ValueTask SendCompressedAsync(IBlobReader reader, CancellationToken cancellationToken)
    {
        await using var compressed = new ZstdBlobReader(reader);
        byte[] piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
        try
        {
            while (await compressed.ReadAsync(piece, cancellationToken) is var count and > 0)
            {
                Begin(count);
                responses.Write(piece.AsSpan(0, count));
                observer.BlobSent(count, isCompressed: true);
                if (!await responses.EndMessageAsync(cancellationToken)) return;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(piece);
        }
    }

    /// <summary>Bytes that are in memory already. False: the client has heard enough.</summary>
    public async ValueTask<bool> SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            var piece = bytes[..Math.Min(bytes.Length, PieceBytes)];
            Begin(piece.Length);
            responses.Write(piece.Span);
            if (!await responses.EndMessageAsync(cancellationToken)) return false;
            bytes = bytes[piece.Length..];
        }

        return true;
    }

    private void Begin(int dataBytes)
    {
        int lengthBytes = CodedOutputStream.ComputeLengthSize(dataBytes);
        responses.BeginMessage(1 + lengthBytes + dataBytes);
        var header = responses.GetSpan(1 + lengthBytes);
        header[0] = DataTag;
        int position = 1;
        uint rest = (uint)dataBytes;
        for (; rest >= 0x80; rest >>= 7) header[position++] = (byte)(rest | 0x80);
        header[position++] = (byte)rest;
        responses.Advance(position);
    }
}
