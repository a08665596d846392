using System.Buffers;
using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>A message of a byte method: read where it lies, written into the connection's own buffer.</summary>
public sealed class BytePiece(byte[] bytes) : IRpcMessage
{
    public static Marshaller<BytePiece> Marshaller { get; } = new(Serialize, Deserialize);

    public byte[] Bytes => bytes;

    public int LengthBytes => bytes.Length;

    /// <summary>Announce all, write so many, and fail.</summary>
    public int? FailsAfter { get; init; }

    private static void Serialize(BytePiece piece, SerializationContext context)
    {
        context.SetPayloadLength(piece.LengthBytes);
        var output = context.GetBufferWriter();
        output.Write(piece.Bytes.AsSpan(0, piece.FailsAfter ?? piece.LengthBytes));
        if (piece.FailsAfter is not null) throw new IOException("the disk is gone");
        context.Complete();
    }

    private static BytePiece Deserialize(DeserializationContext context) => new(context.PayloadAsReadOnlySequence().ToArray());
}
