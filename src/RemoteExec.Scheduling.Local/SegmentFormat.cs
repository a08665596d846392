using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using RemoteExec.Files;

namespace RemoteExec.Scheduling.Local;

/// <summary>
/// The bytes of a segment.
/// <code>
/// header   "RXJOURN1" (8) | marker (8) | crc of both (4)
/// frame    marker (8) | length (4) | crc of length and payload (4) | payload: records
/// </code>
/// Little-endian; CRC-32C. The marker is random in each segment, so that no payload, which clients write, can contain
/// something that passes for a frame.
/// </summary>
internal static class SegmentFormat
{
    public const int HeaderBytes = 20;
    public const int FrameHeaderBytes = 16;

    // Far above what one group of transitions takes; what announces more is not a frame.
    public const int PayloadBytesMax = 1 << 30;

    private static ReadOnlySpan<byte> Magic => "RXJOURN1"u8;

    public static void WriteHeader(Span<byte> header, ulong marker)
    {
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt64LittleEndian(header[8..], marker);
        BinaryPrimitives.WriteUInt32LittleEndian(header[16..], Crc32C.Of(header[..16]));
    }

    public static bool TryReadHeader(ReadOnlySpan<byte> header, out ulong marker, [NotNullWhen(false)] out string? error)
    {
        marker = 0;
        error = header.Length < HeaderBytes ? "is too short"
            : !header.StartsWith(Magic) ? "does not begin like one, or is of another version"
            : BinaryPrimitives.ReadUInt32LittleEndian(header[16..]) != Crc32C.Of(header[..16]) ? "has a damaged header"
            : null;
        if (error is null) marker = BinaryPrimitives.ReadUInt64LittleEndian(header[8..]);
        return error is null;
    }

    public static void WriteFrameHeader(Span<byte> header, ulong marker, ReadOnlySpan<byte> payload)
    {
        BinaryPrimitives.WriteUInt64LittleEndian(header, marker);
        BinaryPrimitives.WriteInt32LittleEndian(header[8..], payload.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[12..], FrameCrc(header[8..12], payload));
    }

    /// <summary>The length announced, or -1 when this is not the head of a frame.</summary>
    public static int ReadFrameLength(ReadOnlySpan<byte> header, ulong marker)
    {
        if (BinaryPrimitives.ReadUInt64LittleEndian(header) != marker) return -1;

        int length = BinaryPrimitives.ReadInt32LittleEndian(header[8..]);
        return length is > 0 and <= PayloadBytesMax ? length : -1;
    }

    public static bool IsIntact(ReadOnlySpan<byte> header, ReadOnlySpan<byte> payload) =>
        BinaryPrimitives.ReadUInt32LittleEndian(header[12..]) == FrameCrc(header[8..12], payload);

    private static uint FrameCrc(ReadOnlySpan<byte> length, ReadOnlySpan<byte> payload) =>
        ~Crc32C.Update(Crc32C.Update(Crc32C.Seed, length), payload);
}
