using System.Buffers;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Rpc;

namespace RemoteExec.Services;

/// <summary>
/// The answer to a batch, encoded as it comes about and lent until it has been written.
/// <code>
/// response                        1: responses*
/// BatchUpdateBlobsResponse entry  1: digest            2: status
/// BatchReadBlobsResponse entry    1: digest   2: data  3: status   4: compressor
/// </code>
/// </summary>
internal sealed class BatchAnswer(int expectedBytes) : IRpcMessage, IDisposable
{
    private const byte ResponsesTag = (1 << 3) | ProtoScanner.Bytes;
    private const byte DigestTag = (1 << 3) | ProtoScanner.Bytes;
    private const byte DataTag = (2 << 3) | ProtoScanner.Bytes;
    private const byte UpdateStatusTag = (2 << 3) | ProtoScanner.Bytes;
    private const byte ReadStatusTag = (3 << 3) | ProtoScanner.Bytes;
    private const byte CompressorTag = (4 << 3) | ProtoScanner.Varint;

    private byte[] _lent = ArrayPool<byte>.Shared.Rent(Math.Max(expectedBytes, 256));

    public int LengthBytes { get; private set; }

    public static void Serialize(BatchAnswer answer, SerializationContext context)
    {
        context.SetPayloadLength(answer.LengthBytes);
        context.GetBufferWriter().Write(answer._lent.AsSpan(0, answer.LengthBytes));
        context.Complete();
        answer.Dispose();
    }

    public void AddUpdate(ReadOnlySpan<byte> digest, RpcStatus? failure)
    {
        int statusBytes = failure?.CalculateSize() ?? 0;
        Begin(LengthOf(digest) + FieldBytes(statusBytes));
        WriteDigest(digest);
        WriteStatus(UpdateStatusTag, failure, statusBytes);
    }

    public void AddRead(ReadOnlySpan<byte> digest, ReadOnlySpan<byte> data, WireCompressor compressor, RpcStatus? failure)
    {
        int statusBytes = failure?.CalculateSize() ?? 0;
        Begin(LengthOf(digest) + LengthOf(data) + FieldBytes(statusBytes) + (compressor == WireCompressor.Identity ? 0 : 2));
        WriteDigest(digest);
        if (data.Length > 0) WriteField(DataTag, data);
        WriteStatus(ReadStatusTag, failure, statusBytes);
        if (compressor == WireCompressor.Identity) return;

        _lent[LengthBytes++] = CompressorTag;
        _lent[LengthBytes++] = (byte)compressor;
    }

    public void Dispose()
    {
        if (_lent.Length > 0) ArrayPool<byte>.Shared.Return(_lent);
        _lent = [];
    }

    private static int FieldBytes(int length) => 1 + CodedOutputStream.ComputeLengthSize(length) + length;

    // What is empty is left out (proto3).
    private static int LengthOf(ReadOnlySpan<byte> bytes) => bytes.Length == 0 ? 0 : FieldBytes(bytes.Length);

    private void Begin(int entryBytes)
    {
        int wanted = LengthBytes + FieldBytes(entryBytes);
        if (wanted > _lent.Length)
        {
            byte[] larger = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, 2 * _lent.Length));
            _lent.AsSpan(0, LengthBytes).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_lent);
            _lent = larger;
        }

        _lent[LengthBytes++] = ResponsesTag;
        WriteLength(entryBytes);
    }

    private void WriteDigest(ReadOnlySpan<byte> digest)
    {
        if (digest.Length > 0) WriteField(DigestTag, digest);
    }

    private void WriteField(byte tag, ReadOnlySpan<byte> bytes)
    {
        _lent[LengthBytes++] = tag;
        WriteLength(bytes.Length);
        bytes.CopyTo(_lent.AsSpan(LengthBytes));
        LengthBytes += bytes.Length;
    }

    /// <summary>OK is there too, as a message without fields.</summary>
    private void WriteStatus(byte tag, RpcStatus? failure, int statusBytes)
    {
        _lent[LengthBytes++] = tag;
        WriteLength(statusBytes);
        failure?.WriteTo(_lent.AsSpan(LengthBytes, statusBytes));
        LengthBytes += statusBytes;
    }

    private void WriteLength(int length)
    {
        uint rest = (uint)length;
        for (; rest >= 0x80; rest >>= 7) _lent[LengthBytes++] = (byte)(rest | 0x80);
        _lent[LengthBytes++] = (byte)rest;
    }
}
