using System.Buffers;
using Grpc.Core;
using RemoteExec.Rpc;

namespace RemoteExec.Services;

/// <summary>
/// The bytes of a request about many blobs, in one lent piece: the answer repeats parts of them, and the connection's own buffers are gone
/// by then.
/// </summary>
internal sealed class LentMessage : IRpcMessage, IDisposable
{
    private byte[]? _lent;

    private LentMessage(byte[] lent, int lengthBytes) => (_lent, LengthBytes) = (lent, lengthBytes);

    public int LengthBytes { get; }

    public ReadOnlyMemory<byte> Bytes => _lent.AsMemory(0, LengthBytes);

    public static LentMessage Deserialize(DeserializationContext context)
    {
        byte[] lent = ArrayPool<byte>.Shared.Rent(context.PayloadLength);
        context.PayloadAsReadOnlySequence().CopyTo(lent);
        return new LentMessage(lent, context.PayloadLength);
    }

    public void Dispose()
    {
        if (_lent is not null) ArrayPool<byte>.Shared.Return(_lent);
        _lent = null;
    }
}
