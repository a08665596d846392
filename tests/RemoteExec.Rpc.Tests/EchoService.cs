using Grpc.Core;

namespace RemoteExec.Rpc.Tests;

/// <summary>The four shapes over text and one over bytes, each with a handler that a test may replace.</summary>
internal sealed class EchoService
{
    public const string ServiceName = "test.Echo";

    public static readonly Method<string, string> UnaryMethod = Create(MethodType.Unary, "Unary");
    public static readonly Method<string, string> ClientStreamingMethod = Create(MethodType.ClientStreaming, "ClientStreaming");
    public static readonly Method<string, string> ServerStreamingMethod = Create(MethodType.ServerStreaming, "ServerStreaming");
    public static readonly Method<string, string> DuplexMethod = Create(MethodType.DuplexStreaming, "Duplex");

    public static readonly Method<BytePiece, BytePiece> BytesMethod =
        new(MethodType.DuplexStreaming, ServiceName, "Bytes", BytePiece.Marshaller, BytePiece.Marshaller);

    public UnaryServerMethod<string, string> Unary { get; set; } = (request, _) => Task.FromResult(request);

    public ClientStreamingServerMethod<string, string> ClientStreaming { get; set; } = async (requests, _) =>
    {
        var all = new List<string>();
        await foreach (string request in requests.ReadAllAsync()) all.Add(request);
        return string.Join(",", all);
    };

    public ServerStreamingServerMethod<string, string> ServerStreaming { get; set; } = async (request, responses, _) =>
    {
        foreach (string part in request.Split(',')) await responses.WriteAsync(part);
    };

    public DuplexStreamingServerMethod<string, string> Duplex { get; set; } = async (requests, responses, _) =>
    {
        await foreach (string request in requests.ReadAllAsync()) await responses.WriteAsync(request);
    };

    public void Bind(ServiceBinderBase binder)
    {
        binder.AddMethod(UnaryMethod, (request, context) => Unary(request, context));
        binder.AddMethod(ClientStreamingMethod, (requests, context) => ClientStreaming(requests, context));
        binder.AddMethod(ServerStreamingMethod, (request, responses, context) => ServerStreaming(request, responses, context));
        binder.AddMethod(DuplexMethod, (requests, responses, context) => Duplex(requests, responses, context));
        binder.AddMethod(BytesMethod, (requests, responses, context) => Bytes(requests, responses, context));
    }

    public DuplexStreamingServerMethod<BytePiece, BytePiece> Bytes { get; set; } = async (requests, responses, _) =>
    {
        await foreach (var request in requests.ReadAllAsync()) await responses.WriteAsync(request);
    };

    private static Method<string, string> Create(MethodType type, string name) =>
        new(type, ServiceName, name, Marshallers.StringMarshaller, Marshallers.StringMarshaller);
}
