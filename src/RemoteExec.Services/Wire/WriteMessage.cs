using System.Buffers;
using System.Text;
using Google.Bytestream;
using Grpc.Core;

namespace RemoteExec.Services;

/// <summary>
/// A ByteStream WriteRequest whose data stays where it was received.
/// <code>
/// 1: resource_name   2: write_offset   3: finish_write   10: data
/// </code>
/// </summary>
internal readonly struct WriteMessage
{
    private const int NameTag = (WriteRequest.ResourceNameFieldNumber << 3) | ProtoScanner.Bytes;
    private const int OffsetTag = (WriteRequest.WriteOffsetFieldNumber << 3) | ProtoScanner.Varint;
    private const int FinishTag = (WriteRequest.FinishWriteFieldNumber << 3) | ProtoScanner.Varint;
    private const int DataTag = (WriteRequest.DataFieldNumber << 3) | ProtoScanner.Bytes;

    // Longer names are not names: instance name, upload id, digest and a client's trailing metadata.
    private const int NameBytesMax = 16 * 1024;

    public string ResourceName { get; private init; }

    public long WriteOffset { get; private init; }

    public bool FinishWrite { get; private init; }

    /// <summary>Valid as long as the message it was read from.</summary>
    public ReadOnlySequence<byte> Data { get; private init; }

    public static WriteMessage Parse(in ReadOnlySequence<byte> message)
    {
        var parsed = new WriteMessage { ResourceName = "" };
        var reader = new SequenceReader<byte>(message);
        while (!reader.End)
        {
            ulong tag = ReadVarint(ref reader);
            parsed = tag switch
            {
                NameTag => parsed with { ResourceName = ReadName(ref reader) },
                OffsetTag => parsed with { WriteOffset = (long)ReadVarint(ref reader) },
                FinishTag => parsed with { FinishWrite = ReadVarint(ref reader) != 0 },
                DataTag => parsed with { Data = ReadBytes(ref reader) },
                _ => Skip(parsed, tag, ref reader),
            };
        }

        return parsed;
    }

    private static string ReadName(ref SequenceReader<byte> reader)
    {
        var bytes = ReadBytes(ref reader);
        if (bytes.Length > NameBytesMax) throw Protocol.RpcErrors.InvalidField("resource_name", $"resource_name has {bytes.Length} bytes");
        return Encoding.UTF8.GetString(bytes);
    }

    private static ReadOnlySequence<byte> ReadBytes(ref SequenceReader<byte> reader)
    {
        ulong length = ReadVarint(ref reader);
        if (length > (ulong)reader.Remaining) throw Malformed();

        var bytes = reader.Sequence.Slice(reader.Position, (long)length);
        reader.Advance((long)length);
        return bytes;
    }

    private static ulong ReadVarint(ref SequenceReader<byte> reader)
    {
        ulong value = 0;
        for (int shift = 0; shift < 70; shift += 7)
        {
            if (!reader.TryRead(out byte next)) break;
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80) return value;
        }

        throw Malformed();
    }

    private static WriteMessage Skip(in WriteMessage parsed, ulong tag, ref SequenceReader<byte> reader)
    {
        long bytes = (tag & 7) switch
        {
            ProtoScanner.Varint => 0,
            ProtoScanner.Fixed64 => 8,
            ProtoScanner.Bytes => (long)Math.Min(ReadVarint(ref reader), long.MaxValue),
            ProtoScanner.Fixed32 => 4,
            _ => throw Malformed(),
        };
        if ((tag & 7) == ProtoScanner.Varint) ReadVarint(ref reader);
        if (bytes > reader.Remaining) throw Malformed();
        reader.Advance(bytes);
        return parsed;
    }

    private static RpcException Malformed() => new(new Status(StatusCode.Internal, "the message is not a valid WriteRequest"));
}
