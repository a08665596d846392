using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>
/// Marshallers whose failures say what they mean. Grpc.AspNetCore makes UNKNOWN of whatever they throw that is no
/// <see cref="RpcException"/>, in unary calls before any interceptor sees it.
/// </summary>
internal static class CheckedMessages
{
    public static Method<TRequest, TResponse> Of<TRequest, TResponse>(Method<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class
    {
        var read = method.RequestMarshaller.ContextualDeserializer;
        var write = method.ResponseMarshaller.ContextualSerializer;
        return new Method<TRequest, TResponse>(
            method.Type, method.ServiceName, method.Name,
            new Marshaller<TRequest>(method.RequestMarshaller.ContextualSerializer, context => Read(read, context)),
            new Marshaller<TResponse>((response, context) => Write(write, response, context), method.ResponseMarshaller.ContextualDeserializer));
    }

    private static T Read<T>(Func<DeserializationContext, T> read, DeserializationContext context)
    {
        try
        {
            return read(context);
        }
        catch (Exception broken) when (broken is not RpcException)
        {
            // The client's mistake. Elsewhere it is often INTERNAL, which tells of a fault of the server's, and which clients try again.
            throw new RpcException(new Status(StatusCode.InvalidArgument, "the request is not a valid message", broken));
        }
    }

    private static void Write<T>(Action<T, SerializationContext> write, T response, SerializationContext context)
    {
        try
        {
            write(response, context);
        }
        catch (Exception broken)
        {
            throw new MessageCutShortException(broken);
        }
    }
}
