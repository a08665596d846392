using System.Buffers.Binary;
using System.Net;
using Google.Bytestream;
using Google.Protobuf;

namespace RemoteExec.Benchmarks;

/// <summary>
/// The messages of one ByteStream.Write, written without a copy of the data:
/// prefix (5) | resource_name, write_offset, finish_write | tag and length of data | data.
/// </summary>
internal sealed class UploadContent(string resourceName, ReadOnlyMemory<byte> data) : HttpContent
{
    private const int MessageBytes = 1 << 20;
    private const int PrefixBytes = 5;
    private const uint DataTag = 10 << 3 | 2; // field 10, length-delimited

    /// <summary>Called once, when so many bytes are on their way.</summary>
    public (int Bytes, Action Call)? Passed { get; init; }

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        for (int offset = 0; offset < data.Length; offset += MessageBytes)
        {
            var part = data.Slice(offset, Math.Min(MessageBytes, data.Length - offset));
            await stream.WriteAsync(Header(offset, part.Length));
            await stream.WriteAsync(part);
            if (Passed is { } passed && offset < passed.Bytes && offset + part.Length >= passed.Bytes) passed.Call();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }

    private byte[] Header(int offset, int dataBytes)
    {
        var fields = new WriteRequest { WriteOffset = offset, FinishWrite = offset + dataBytes == data.Length };
        if (offset == 0) fields.ResourceName = resourceName;

        byte[] header = new byte[PrefixBytes + fields.CalculateSize()
            + CodedOutputStream.ComputeTagSize(10) + CodedOutputStream.ComputeLengthSize(dataBytes)];
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(1), header.Length - PrefixBytes + dataBytes);
        fields.WriteTo(header.AsSpan(PrefixBytes, fields.CalculateSize()));
        WriteVarint(WriteVarint(header.AsSpan(PrefixBytes + fields.CalculateSize()), DataTag), (uint)dataBytes);
        return header;
    }

    private static Span<byte> WriteVarint(Span<byte> target, uint value)
    {
        for (; value >= 0x80; value >>= 7, target = target[1..]) target[0] = (byte)(value | 0x80);
        target[0] = (byte)value;
        return target[1..];
    }
}
