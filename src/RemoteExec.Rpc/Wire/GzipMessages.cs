using System.Buffers;
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
            throw new RpcException(new Status(StatusCode.Internal, "message is not valid gzip"));
        }

        return new ReadOnlySequence<byte>(output.WrittenMemory);
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
