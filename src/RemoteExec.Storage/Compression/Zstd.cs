using Grpc.Core;
using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>Whole small blobs, as batches carry them.</summary>
public static class Zstd
{
    private static readonly ContextPool<Decompressor> Decompressors = new(() => new Decompressor());

    /// <summary>The fastest level: the network is rarely so slow that a better ratio pays for the processor time.</summary>
    internal static CompressionOptions Fastest { get; } = new(compressionLevel: 1);

    internal static ContextPool<ZstdNet.Compressor> Compressors { get; } = new(() => new ZstdNet.Compressor(Fastest));

    public static byte[] Compress(ReadOnlySpan<byte> data)
    {
        var compressor = Compressors.Rent();
        try
        {
            return compressor.Wrap(data);
        }
        finally
        {
            Compressors.Return(compressor);
        }
    }

    /// <summary>Exactly <paramref name="sizeBytes"/> bytes, or INVALID_ARGUMENT; never more memory than they take.</summary>
    public static byte[] Decompress(ReadOnlySpan<byte> data, int sizeBytes)
    {
        byte[] output = GC.AllocateUninitializedArray<byte>(sizeBytes);
        var decompressor = Decompressors.Rent();
        try
        {
            // Straight into the output, so whatever window the frame asks for is the output itself.
            int written = decompressor.Unwrap(data, output, bufferSizePrecheck: false);
            return written == sizeBytes
                ? output
                : throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream ended after {written} of {sizeBytes} bytes");
        }
        catch (ZstdException broken)
        {
            throw Broken(broken, sizeBytes);
        }
        finally
        {
            Decompressors.Return(decompressor);
        }
    }

    internal static RpcException Broken(ZstdException broken, long sizeBytes) => StorageErrors.Create(
        StatusCode.InvalidArgument,
        broken.Code == ZSTD_ErrorCode.ZSTD_error_dstSize_tooSmall
            ? $"the zstd stream has more than the {sizeBytes} bytes announced"
            : $"the zstd stream is broken: {broken.Message}");
}
