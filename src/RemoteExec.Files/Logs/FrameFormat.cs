using System.Buffers.Binary;

namespace RemoteExec.Files;

/// <summary>
/// The bytes of a framed log. Little-endian, CRC-32C.
/// <code>
/// header   magic (8) | marker (8) | checksum of both (4)
/// frame    marker (8) | length (4) and checksum of length and body (4), in either order | body
/// </code>
/// The marker is random in each file: behind a damaged frame the next one is found by it, and no body, which strangers write,
/// can contain something that passes for a frame. The checksum leaves it out, because a frame may be sealed before it is known to
/// which file it goes. Without a magic there are neither header nor marker, the checksum is of the body alone, and what is
/// damaged ends the log.
/// </summary>
public sealed record FrameFormat
{
    private const int MarkerBytes = sizeof(ulong);
    private const int FieldBytes = sizeof(uint);
    private const int MagicBytes = 8;

    /// <summary>Eight characters that say whose log this is and of which version, or none.</summary>
    public string Magic { get; init; } = "";

    public bool ChecksumFirst { get; init; }

    /// <summary>So many bytes at the start of the body the length leaves out: a record's own head, always there.</summary>
    public int UncountedBytes { get; init; }

    /// <summary>What announces more is not a frame: it was never written by us.</summary>
    public required int BodyBytesMax { get; init; }

    internal bool HasMarker => Magic.Length > 0;

    /// <summary>Where the first frame is.</summary>
    public int HeaderBytes => HasMarker ? MagicBytes + MarkerBytes + FieldBytes : 0;

    /// <summary>Before the body.</summary>
    public int HeadBytes => PrefixBytes + (2 * FieldBytes);

    private int PrefixBytes => HasMarker ? MarkerBytes : 0;

    private Range Length => Field(ChecksumFirst ? 1 : 0);

    private Range Checksum => Field(ChecksumFirst ? 0 : 1);

    /// <summary>Completes a frame whose body is in its place already, but for the marker, which the log adds.</summary>
    public void Seal(Span<byte> frame)
    {
        BinaryPrimitives.WriteInt32LittleEndian(frame[Length], frame.Length - HeadBytes - UncountedBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(frame[Checksum], ChecksumOf(frame));
    }

    internal void WriteHeader(Span<byte> header, ulong marker)
    {
        System.Text.Encoding.ASCII.GetBytes(Magic, header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[MagicBytes..], marker);
        BinaryPrimitives.WriteUInt32LittleEndian(header[^FieldBytes..], Crc32C.Of(header[..^FieldBytes]));
    }

    /// <returns>What is wrong with the header, or null.</returns>
    internal string? ReadHeader(ReadOnlySpan<byte> header, out ulong marker)
    {
        marker = 0;
        if (header.Length < HeaderBytes) return "is too short";
        if (!HasMarker) return null;
        if (!System.Text.Ascii.Equals(Magic, header[..MagicBytes])) return "does not begin like one, or is of another version";
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[^FieldBytes..]) != Crc32C.Of(header[..^FieldBytes])) return "has a damaged header";

        marker = BinaryPrimitives.ReadUInt64LittleEndian(header[MagicBytes..]);
        return null;
    }

    internal void Mark(Span<byte> frame, ulong marker)
    {
        if (HasMarker) BinaryPrimitives.WriteUInt64LittleEndian(frame, marker);
    }

    /// <summary>How long the frame says it is, head included; -1 when this is not the head of one.</summary>
    internal long FrameBytes(ReadOnlySpan<byte> head, ulong marker)
    {
        if (HasMarker && BinaryPrimitives.ReadUInt64LittleEndian(head) != marker) return -1;

        int length = BinaryPrimitives.ReadInt32LittleEndian(head[Length]);
        long body = (long)length + UncountedBytes;
        // Nothing is no frame either: a disk that lost a write gives zeros.
        return length >= 0 && body > 0 && body <= BodyBytesMax ? HeadBytes + body : -1;
    }

    /// <summary>Whether these bytes are, wholly and unaltered, one frame.</summary>
    internal bool IsFrame(ReadOnlySpan<byte> frame, ulong marker) =>
        frame.Length >= HeadBytes
        && FrameBytes(frame, marker) == frame.Length
        && BinaryPrimitives.ReadUInt32LittleEndian(frame[Checksum]) == ChecksumOf(frame);

    private uint ChecksumOf(ReadOnlySpan<byte> frame) =>
        ~Crc32C.Update(HasMarker ? Crc32C.Update(Crc32C.Seed, frame[Length]) : Crc32C.Seed, frame[HeadBytes..]);

    private Range Field(int index)
    {
        int at = PrefixBytes + (index * FieldBytes);
        return at..(at + FieldBytes);
    }
}
