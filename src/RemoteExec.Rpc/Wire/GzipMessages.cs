using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Pipelines;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>The <c>gzip</c> message encoding.</summary>
internal static class GzipMessages
{
    private const int ChunkBytes = 16 * 1024;

    /// <summary>Stops at the limit, not at the end of the bomb.</summary>
    public static ReadOnlySequence<byte> Decompress(in ReadOnlySequence<byte> compressed, int messageBytesMax)
    {
        var output = new ArrayBufferWriter<byte>(ChunkBytes);
        try
        {
            using var gzip = new GZipStream(PipeReader.Create(compressed).AsStream(), CompressionMode.Decompress);
            while (gzip.Read(output.GetSpan(ChunkBytes)) is > 0 and int count)
            {
                output.Advance(count);
                if (output.WrittenCount > messageBytesMax)
                    throw new RpcException(new Status(StatusCode.ResourceExhausted,
                        $"message inflates to more than the limit of {messageBytesMax} bytes"));
            }
        }
        catch (InvalidDataException)
        {
            throw Broken("message is not valid gzip");
        }

        // GZipStream takes the end of its input for the end of the data, wherever it comes.
        if (!EndsWithLength(compressed, output.WrittenCount)) throw Broken("message ends inside its gzip data");
        return new ReadOnlySequence<byte>(output.WrittenMemory);
    }

    private static RpcException Broken(string detail) => new(new Status(StatusCode.Internal, detail));

    /// <summary>RFC 1952 section 2.3.1, ISIZE. Of several members, which no gRPC library writes, it would be the last one's.</summary>
    private static bool EndsWithLength(in ReadOnlySequence<byte> compressed, int lengthBytes)
    {
        if (compressed.Length < sizeof(uint)) return false;
        Span<byte> size = stackalloc byte[sizeof(uint)];
        compressed.Slice(compressed.Length - sizeof(uint)).CopyTo(size);
        return BinaryPrimitives.ReadUInt32LittleEndian(size) == (uint)lengthBytes;
    }

    public static ReadOnlyMemory<byte> Compress(ReadOnlySpan<byte> message)
    {
        using var output = new MemoryStream(message.Length / 2);
        // Fastest: gzip here is for links that are slower than one core's fastest level.
        using (var gzip = new GZipStream(output, CompressionLevel.Fastest, leaveOpen: true))
            gzip.Write(message);
        return output.GetBuffer().AsMemory(0, (int)output.Length);
    }
}
