using System.Buffers.Binary;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a list: a <see cref="FramedLog"/> whose bodies are
/// <code>
/// hash function (1) | algorithm (1), 0x80 more when the blob is stored whole | blob: hash, size (8) | chunks: hash, size (8) each
/// </code>
/// Little-endian. A later list of a blob by the same algorithm replaces an earlier one.
/// </summary>
internal static class ChunkListFormat
{
    /// <summary>Of one blob: far more than the largest that is taken has by any size that is announced.</summary>
    public const int ChunksMax = 200_000;

    private const int BodyBytesMax = 16 << 20; // the longest hashes, and a size to each

    private const int KindBytes = 2;
    private const byte OfWhole = 0x80;

    public static readonly FrameFormat Frames = new() { Magic = "RXCHUNK1", ChecksumFirst = true, BodyBytesMax = BodyBytesMax };

    public static int FrameBytes(Digest blob, ChunkList list) => Frames.HeadBytes + KindBytes + ((list.Chunks.Count + 1) * EntryBytes(blob.Function));

    public static byte[] ToFrame(Digest blob, ChunkList list)
    {
        byte[] frame = new byte[FrameBytes(blob, list)];
        var body = frame.AsSpan(Frames.HeadBytes);
        body[0] = (byte)blob.Function;
        body[1] = (byte)((byte)list.Algorithm | (list.IsOfWhole ? OfWhole : 0));
        int at = KindBytes;
        Write(blob, body, ref at);
        foreach (var chunk in list.Chunks) Write(chunk, body, ref at);
        Frames.Seal(frame);
        return frame;
    }

    /// <summary>False for an intact frame that says nothing we know.</summary>
    public static bool TryRead(ReadOnlySpan<byte> frame, out Digest blob, out ChunkList list)
    {
        var body = frame[Frames.HeadBytes..];
        (blob, list) = (default, new ChunkList(default, []));
        if (body.Length < KindBytes || !DigestFunctions.TryFromNumber(body[0], out var function)) return false;

        var entries = body[KindBytes..];
        int entryBytes = EntryBytes(function);
        if (entries.Length % entryBytes != 0 || entries.Length < 2 * entryBytes) return false;

        if (!TryReadDigest(function, entries, out blob)) return false;
        var chunks = new Digest[(entries.Length / entryBytes) - 1];
        for (int i = 0; i < chunks.Length; i++)
        {
            if (!TryReadDigest(function, entries[((i + 1) * entryBytes)..], out chunks[i])) return false;
        }

        list = new ChunkList((ChunkingAlgorithm)(body[1] & ~OfWhole), chunks) { IsOfWhole = (body[1] & OfWhole) != 0 };
        // Sizes are no more than what the bytes say: their sum may be too much for a long.
        Int128 sum = 0;
        foreach (var chunk in chunks) sum += chunk.SizeBytes;
        return sum == blob.SizeBytes;
    }

    private static int EntryBytes(DigestFunction function) => function.HashBytes() + sizeof(long);

    private static void Write(Digest digest, Span<byte> body, ref int at)
    {
        digest.CopyHashTo(body[at..]);
        at += digest.HashBytes;
        BinaryPrimitives.WriteInt64LittleEndian(body[at..], digest.SizeBytes);
        at += sizeof(long);
    }

    private static bool TryReadDigest(DigestFunction function, ReadOnlySpan<byte> entry, out Digest digest)
    {
        int hashBytes = function.HashBytes();
        long size = BinaryPrimitives.ReadInt64LittleEndian(entry[hashBytes..]);
        digest = size < 0 ? default : Digest.FromHash(function, entry[..hashBytes], size);
        return size >= 0;
    }
}
