using System.Buffers.Binary;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a <see cref="WriteBehindLog"/>: a <see cref="FramedLog"/> whose bodies are
/// <code>
/// kind: 1 to be brought, 2 no more (1) | hash function (1) | size (8) | hash
/// </code>
/// Little-endian.
/// </summary>
internal static class WriteBehindFormat
{
    private const byte Added = 1;
    private const byte Ended = 2;
    private const int HashOffset = 2 + sizeof(long);

    public static readonly FrameFormat Frames = new() { Magic = "RXBEHND1", ChecksumFirst = true, BodyBytesMax = HashOffset + DigestFunctions.HashBytesMax };

    public static int FrameBytes(in Digest digest) => Frames.HeadBytes + HashOffset + digest.HashBytes;

    /// <returns>How much of <paramref name="frame"/> it takes.</returns>
    public static int Write(in Digest digest, bool isAdded, Span<byte> frame)
    {
        int bytes = FrameBytes(digest);
        var body = frame[Frames.HeadBytes..bytes];
        body[0] = isAdded ? Added : Ended;
        body[1] = (byte)digest.Function;
        BinaryPrimitives.WriteInt64LittleEndian(body[2..], digest.SizeBytes);
        digest.CopyHashTo(body[HashOffset..]);
        Frames.Seal(frame[..bytes]);
        return bytes;
    }

    /// <summary>False for an intact frame that says nothing we know.</summary>
    public static bool TryRead(ReadOnlySpan<byte> frame, out Digest digest, out bool isAdded)
    {
        var body = frame[Frames.HeadBytes..];
        (digest, isAdded) = (default, false);
        if (body.Length < HashOffset || body[0] is not (Added or Ended) || !DigestFunctions.TryFromNumber(body[1], out var function)) return false;

        long size = BinaryPrimitives.ReadInt64LittleEndian(body[2..]);
        if (size < 0 || body.Length != HashOffset + function.HashBytes()) return false;
        (digest, isAdded) = (Digest.FromHash(function, body[HashOffset..], size), body[0] == Added);
        return true;
    }
}
