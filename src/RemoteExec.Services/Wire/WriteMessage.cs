using System.Buffers;
using Google.Bytestream;
using Grpc.Core;
using RemoteExec.Rpc;

namespace RemoteExec.Services;

/// <summary>
/// A ByteStream WriteRequest, read without being built. Its data is copied once, out of the connection's buffers, which are given back
/// before anybody sees the message, into a lent one from which it is hashed and written.
/// <code>
/// 1: resource_name   2: write_offset   3: finish_write   10: data
/// </code>
/// </summary>
internal sealed class WriteMessage : IRpcMessage, IDisposable
{
    private const int NameTag = (WriteRequest.ResourceNameFieldNumber << 3) | ProtoScanner.Bytes;
    private const int OffsetTag = (WriteRequest.WriteOffsetFieldNumber << 3) | ProtoScanner.Varint;
    private const int FinishTag = (WriteRequest.FinishWriteFieldNumber << 3) | ProtoScanner.Varint;
    private const int DataTag = (WriteRequest.DataFieldNumber << 3) | ProtoScanner.Bytes;

    // Longer names are not names: instance name, upload id, digest and a client's trailing metadata.
    private const int NameBytesMax = 16 * 1024;

    private byte[]? _lent;

    public int LengthBytes { get; private init; }

    public string ResourceName { get; private set; } = "";

    public long WriteOffset { get; private set; }

    public bool FinishWrite { get; private set; }

    /// <summary>Valid until the message is disposed.</summary>
    public ReadOnlyMemory<byte> Data { get; private set; }

    public static WriteMessage Deserialize(DeserializationContext context) => Parse(context.PayloadAsReadOnlySequence());

    public static WriteMessage Parse(in ReadOnlySequence<byte> message)
    {
        var parsed = new WriteMessage { LengthBytes = (int)message.Length };
        ReadOnlySequence<byte> data = default;
        var reader = new SequenceReader<byte>(message);
        while (!reader.End)
        {
            ulong tag = ReadVarint(ref reader);
            switch (tag)
            {
                case NameTag: parsed.ResourceName = ReadName(ref reader); break;
                case OffsetTag: parsed.WriteOffset = (long)ReadVarint(ref reader); break;
                case FinishTag: parsed.FinishWrite = ReadVarint(ref reader) != 0; break;
                case DataTag: data = ReadBytes(ref reader); break;
                default: Skip(tag, ref reader); break;
            }
        }

        parsed.Take(data);
        return parsed;
    }

    public void Dispose()
    {
        Data = default;
        if (_lent is not null) ArrayPool<byte>.Shared.Return(_lent);
        _lent = null;
    }

    // Last, so that a message that turns out to be broken has borrowed nothing.
    private void Take(in ReadOnlySequence<byte> data)
    {
        if (data.IsEmpty) return;
        _lent = ArrayPool<byte>.Shared.Rent((int)data.Length);
        data.CopyTo(_lent);
        Data = _lent.AsMemory(0, (int)data.Length);
    }

    private static string ReadName(ref SequenceReader<byte> reader)
    {
        var bytes = ReadBytes(ref reader);
        if (bytes.Length > NameBytesMax) throw Protocol.RpcErrors.InvalidField("resource_name", $"resource_name has {bytes.Length} bytes");
        return WireText.Read(bytes);
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

    private static void Skip(ulong tag, ref SequenceReader<byte> reader)
    {
        // Field numbers have 29 bits, and there is no zero.
        if (tag is < 1 << 3 or > uint.MaxValue) throw Malformed();

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
    }

    private static RpcException Malformed() => new(new Status(StatusCode.InvalidArgument, "the message is not a valid WriteRequest"));
}
