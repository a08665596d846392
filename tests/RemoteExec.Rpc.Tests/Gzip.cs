using System.IO.Compression;

namespace RemoteExec.Rpc.Tests;

/// <summary>Messages in the gzip encoding.</summary>
internal static class Gzip
{
    public static byte[] Frame(ReadOnlySpan<byte> message)
    {
        byte[] body = Compress(message);
        return [1, (byte)(body.Length >> 24), (byte)(body.Length >> 16), (byte)(body.Length >> 8), (byte)body.Length, .. body];
    }

    public static byte[] Compress(ReadOnlySpan<byte> message)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(message);
        return compressed.ToArray();
    }
}
