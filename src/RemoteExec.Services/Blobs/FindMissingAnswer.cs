using System.Buffers;
using Grpc.Core;
using RemoteExec.Rpc;

namespace RemoteExec.Services;

/// <summary>A FindMissingBlobsResponse, written from the bytes that asked. Gives back all that was lent when it is written.</summary>
internal sealed class FindMissingAnswer(LentMessage request, DigestQuery query, IReadOnlyList<Digest> missing) : IRpcMessage
{
    private readonly ReadOnlyMemory<byte> _bytes = query.Answer(request.Bytes.Span, missing);

    public int LengthBytes => _bytes.Length;

    public static void Serialize(FindMissingAnswer answer, SerializationContext context)
    {
        context.SetPayloadLength(answer.LengthBytes);
        context.GetBufferWriter().Write(answer._bytes.Span);
        context.Complete();
        answer.GiveBack();
    }

    private void GiveBack()
    {
        query.Dispose();
        request.Dispose();
    }
}
