using System.Diagnostics;
using Grpc.Core;

namespace RemoteExec.Services;

/// <summary>Marshallers of byte methods: a server reads requests and writes responses, never the other way round.</summary>
internal static class ServedOnly
{
    public static Marshaller<T> Requests<T>(Func<DeserializationContext, T> deserialize) =>
        new((_, _) => throw new UnreachableException("a server sends no request"), deserialize);

    public static Marshaller<T> Responses<T>(Action<T, SerializationContext> serialize) =>
        new(serialize, _ => throw new UnreachableException("a server receives no response"));
}
