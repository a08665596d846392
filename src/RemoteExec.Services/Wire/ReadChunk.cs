using System.Buffers;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// A ByteStream ReadResponse that is written without being built, from memory or straight from a file into the connection's buffer.
/// <code>
/// | 0x52 (field 10, bytes) | length (varint) | data |
/// </code>
/// </summary>
internal sealed class ReadChunk : IRpcMessage
{
    private const byte DataTag = (ReadResponse.DataFieldNumber << 3) | ProtoScanner.Bytes;

    private readonly ISynchronousBlobReader? _file;
    private readonly ReadOnlyMemory<byte> _bytes;

    public ReadChunk(ReadOnlyMemory<byte> bytes)
    {
        _bytes = bytes;
        DataBytes = bytes.Length;
    }

    public ReadChunk(ISynchronousBlobReader file, int bytes)
    {
        _file = file;
        DataBytes = bytes;
    }

    public int DataBytes { get; }

    public int LengthBytes => HeaderBytes + DataBytes;

    private int HeaderBytes => 1 + CodedOutputStream.ComputeLengthSize(DataBytes);

    public static void Serialize(ReadChunk chunk, SerializationContext context)
    {
        // Announce the length first: the buffer writer is then the connection's own, and the file is read straight into it.
        context.SetPayloadLength(chunk.LengthBytes);
        var output = context.GetBufferWriter();
        chunk.WriteHeader(output);
        chunk.WriteData(output); // throws, and so resets the stream, when the file ends early: never a short blob
        context.Complete();
    }

    public static EndOfStreamException EndsEarly() => new("the blob is shorter than its digest says");

    private void WriteHeader(IBufferWriter<byte> output)
    {
        var header = output.GetSpan(HeaderBytes);
        header[0] = DataTag;
        int position = 1;
        uint rest = (uint)DataBytes;
        for (; rest >= 0x80; rest >>= 7) header[position++] = (byte)(rest | 0x80);
        header[position++] = (byte)rest;
        output.Advance(position);
    }

    private void WriteData(IBufferWriter<byte> output)
    {
        if (_file is null)
        {
            output.Write(_bytes.Span);
            return;
        }

        for (int left = DataBytes; left > 0;)
        {
            int read = _file.Read(output.GetSpan(left)[..left]);
            if (read == 0) throw EndsEarly();
            output.Advance(read);
            left -= read;
        }
    }
}
