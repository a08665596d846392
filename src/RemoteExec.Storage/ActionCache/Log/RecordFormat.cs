using System.Buffers.Binary;

namespace RemoteExec.Storage;

/// <summary>
/// The bytes of a segment: a <see cref="FramedLog"/> whose bodies are
/// <code>
/// kind (1) | last use, UTC ticks (8) | name (32) | payload: an ActionResult, or nothing for a use
/// </code>
/// Little-endian. A frame's length is that of the payload.
/// </summary>
internal static class RecordFormat
{
    /// <summary>Before the payload, the frame's own head included.</summary>
    public const int HeadBytes = FrameHeadBytes + OwnHeadBytes;

    // Far above what one message brings; what announces more is not a record.
    public const int PayloadBytesMax = 64 << 20;

    private const int FrameHeadBytes = 16;
    private const int OwnHeadBytes = 1 + 8 + ResultName.Bytes;

    public static readonly FrameFormat Frames = new()
    {
        Magic = "RXACLOG1",
        ChecksumFirst = true,
        UncountedBytes = OwnHeadBytes,
        BodyBytesMax = OwnHeadBytes + PayloadBytesMax,
    };

    /// <summary>Completes a record whose payload is in its place already.</summary>
    public static void WriteHead(Span<byte> record, RecordKind kind, in ResultName name, DateTime lastUse)
    {
        var head = record[FrameHeadBytes..];
        head[0] = (byte)kind;
        BinaryPrimitives.WriteInt64LittleEndian(head[1..], lastUse.Ticks);
        name.WriteTo(head[9..]);
        Frames.Seal(record);
    }

    /// <summary>False for an intact frame that says nothing we know.</summary>
    public static bool TryReadHead(ReadOnlySpan<byte> record, out RecordHead head)
    {
        var own = record[FrameHeadBytes..];
        var kind = (RecordKind)own[0];
        long ticks = BinaryPrimitives.ReadInt64LittleEndian(own[1..]);
        head = default;
        if (kind is not (RecordKind.Result or RecordKind.Use) || ticks < 0 || ticks > DateTime.MaxValue.Ticks) return false;

        head = new RecordHead(kind, ResultName.Read(own[9..]), new DateTime(ticks, DateTimeKind.Utc));
        return true;
    }
}

/// <summary>What precedes a record's payload.</summary>
internal readonly record struct RecordHead(RecordKind Kind, ResultName Name, DateTime LastUse);

/// <summary>What a record of the log says about its name.</summary>
internal enum RecordKind : byte
{
    /// <summary>Here is the result; it replaces any earlier one.</summary>
    Result = 1,

    /// <summary>The result was used at this time.</summary>
    Use = 2,
}
