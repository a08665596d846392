using System.Buffers.Binary;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a segment.
/// <code>
/// header   "RXACLOG1" (8) | marker (8) | CRC-32C of both (4)
/// record   marker (8) | CRC-32C of all that follows (4) | payload length (4) | kind (1) | last use, UTC ticks (8)
///          | name (32) | payload: an ActionResult, or nothing for a use
/// </code>
/// Little-endian. The marker is random in each segment: behind a damaged record the next one is found by it, and no
/// payload, which clients write, can contain something that passes for a record of somebody else's action. The checksum
/// leaves it out, because a record is made before it is known to which segment it goes.
/// </summary>
internal static class RecordFormat
{
    public const int SegmentHeaderBytes = 20;
    public const int HeadBytes = 25 + ResultName.Bytes;
    public const int MarkerBytes = 8;

    // Far above what one message brings; what announces more is not a record.
    public const int PayloadBytesMax = 64 << 20;

    private const int ChecksummedFrom = 12;

    private static ReadOnlySpan<byte> Magic => "RXACLOG1"u8;

    public static void WriteSegmentHeader(Span<byte> header, ulong marker)
    {
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], marker);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Crc32C.Of(header[..16]));
    }

    public static bool TryReadSegmentHeader(ReadOnlySpan<byte> header, out ulong marker)
    {
        marker = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        return header.StartsWith(Magic) && BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) == Crc32C.Of(header[..16]);
    }

    /// <summary>Completes a record whose payload is in its place already; <see cref="Mark"/> does the rest.</summary>
    public static void WriteHead(Span<byte> record, RecordKind kind, in ResultName name, DateTime lastUse)
    {
        BinaryPrimitives.WriteInt32LittleEndian(record[12..], record.Length - HeadBytes);
        record[16] = (byte)kind;
        BinaryPrimitives.WriteInt64LittleEndian(record[17..], lastUse.Ticks);
        name.WriteTo(record[25..]);
        BinaryPrimitives.WriteUInt32LittleEndian(record[8..], Crc32C.Of(record[ChecksummedFrom..]));
    }

    public static void Mark(Span<byte> record, ulong marker) => BinaryPrimitives.WriteUInt64LittleEndian(record, marker);

    /// <summary>False when this is not the head of a record; the payload is still to be checked.</summary>
    public static bool TryReadHead(ReadOnlySpan<byte> record, ulong marker, out RecordHead head)
    {
        head = default;
        if (BinaryPrimitives.ReadUInt64LittleEndian(record) != marker) return false;

        int payloadBytes = BinaryPrimitives.ReadInt32LittleEndian(record[12..]);
        var kind = (RecordKind)record[16];
        long ticks = BinaryPrimitives.ReadInt64LittleEndian(record[17..]);
        if (payloadBytes is < 0 or > PayloadBytesMax) return false;
        if (kind is not (RecordKind.Result or RecordKind.Use)) return false;
        if (ticks < 0 || ticks > DateTime.MaxValue.Ticks) return false;

        head = new RecordHead(kind, ResultName.Read(record[25..]), new DateTime(ticks, DateTimeKind.Utc), payloadBytes);
        return true;
    }

    public static bool IsIntact(ReadOnlySpan<byte> record) =>
        BinaryPrimitives.ReadUInt32LittleEndian(record[8..]) == Crc32C.Of(record[ChecksummedFrom..]);

    /// <summary>Whether these bytes are, wholly and unaltered, a result of this name.</summary>
    public static bool IsResult(ReadOnlySpan<byte> record, ulong marker, in ResultName name) =>
        TryReadHead(record, marker, out var head)
        && head.Kind == RecordKind.Result && head.Name == name && head.PayloadBytes == record.Length - HeadBytes
        && IsIntact(record);
}
