using System.Buffers;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>Hands one message to a marshaller.</summary>
internal sealed class ReceivedMessage(ReadOnlySequence<byte> message) : DeserializationContext
{
    public override int PayloadLength => (int)message.Length;

    public override byte[] PayloadAsNewBuffer() => message.ToArray();

    public override ReadOnlySequence<byte> PayloadAsReadOnlySequence() => message;

    /// <summary>
    /// A payload that is no message at all: INTERNAL is gRPC's own convention, and the parser's words, which may
    /// quote the payload, stay here.
    /// </summary>
    public static T Parse<T>(in ReadOnlySequence<byte> message, Marshaller<T> marshaller)
    {
        try
        {
            return marshaller.ContextualDeserializer(new ReceivedMessage(message));
        }
        catch (Exception exception) when (exception is not RpcException)
        {
            throw new RpcException(new Status(StatusCode.Internal, $"message is not a valid {typeof(T).Name}", exception));
        }
    }
}
