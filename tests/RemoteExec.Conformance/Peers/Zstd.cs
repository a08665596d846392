using ZstdNet;

namespace RemoteExec.Conformance;

/// <summary>Zstd as a client has it.</summary>
internal static class Zstd
{
    public static byte[] Compress(byte[] data)
    {
        using var compressor = new ZstdNet.Compressor();
        return compressor.Wrap(data);
    }

    public static byte[] Decompress(byte[] frames)
    {
        using var decompressing = new DecompressionStream(new MemoryStream(frames));
        using var plain = new MemoryStream();
        decompressing.CopyTo(plain);
        return plain.ToArray();
    }

    /// <summary>A frame of stored blocks (RFC 8878, 3.1.1): bytes that no compressor would send, and every decoder takes.</summary>
    public static byte[] Stored(byte[] data)
    {
        using var frame = new MemoryStream();
        // magic | descriptor: one segment, size in four bytes | size
        frame.Write([0x28, 0xB5, 0x2F, 0xFD, 0xA0]);
        frame.Write(BitConverter.GetBytes(data.Length));
        const int blockBytes = 100_000;
        for (int at = 0; at < data.Length || at == 0; at += blockBytes)
        {
            int length = Math.Min(blockBytes, data.Length - at);
            int header = (length << 3) | (at + length == data.Length ? 1 : 0);
            frame.Write(BitConverter.GetBytes(header).AsSpan(0, 3));
            frame.Write(data.AsSpan(at, length));
        }

        return frame.ToArray();
    }
}
