using System.Runtime.InteropServices;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>Whole small blobs, as batches carry them, and whether this machine has libzstd at all.</summary>
public static class Zstd
{
    /// <summary>False where libzstd is not installed: then zstd must not be advertised.</summary>
    public static bool IsAvailable { get; } = NativeLibrary.TryLoad(ZstdNative.Library, out _);

    public static byte[] Compress(ReadOnlySpan<byte> data)
    {
        byte[] output = GC.AllocateUninitializedArray<byte>((int)ZstdNative.CompressBound((nuint)data.Length));
        using var compressor = new ZstdCompressor(data.Length);
        int filled = 0;
        for (bool isComplete = false; !isComplete;)
        {
            isComplete = compressor.Compress(data, output.AsSpan(filled), isLast: true, out int consumed, out int written);
            data = data[consumed..];
            filled += written;
        }

        return output[..filled];
    }

    /// <summary>Exactly <paramref name="sizeBytes"/> bytes, or INVALID_ARGUMENT; never more memory than they take.</summary>
    public static byte[] Decompress(ReadOnlySpan<byte> data, int sizeBytes)
    {
        byte[] output = GC.AllocateUninitializedArray<byte>(sizeBytes);
        using var decompressor = new ZstdDecompressor();
        int filled = 0;
        Span<byte> beyond = stackalloc byte[1];
        while (true)
        {
            bool isFull = filled == sizeBytes;
            decompressor.Decompress(data, isFull ? beyond : output.AsSpan(filled), out int consumed, out int written);
            if (isFull && written > 0)
                throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream has more than the {sizeBytes} bytes announced");

            data = data[consumed..];
            filled += written;
            if (consumed == 0 && written == 0) break;
        }

        if (data.Length > 0 || !decompressor.IsAtFrameEnd || filled < sizeBytes)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream ended after {filled} of {sizeBytes} bytes");
        return output;
    }
}
