using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>A method of this server: its name, its limits, and how its shape is served.</summary>
internal abstract class BoundMethod(string fullName)
{
    public string FullName { get; } = fullName;

    public RpcMethodOptions Options { get; set; } = new();

    public abstract Task InvokeAsync(ServerCall call);
}

internal sealed class BoundUnaryMethod<TRequest, TResponse>(
    Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse> handler) : BoundMethod(method.FullName)
    where TRequest : class
    where TResponse : class
{
    public override async Task InvokeAsync(ServerCall call)
    {
        var request = await call.ReadSingleAsync(method.RequestMarshaller);
        var response = await handler(request, call);
        call.WriteSingle(response, method.ResponseMarshaller);
    }
}

internal sealed class BoundClientStreamingMethod<TRequest, TResponse>(
    Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse> handler) : BoundMethod(method.FullName)
    where TRequest : class
    where TResponse : class
{
    public override async Task InvokeAsync(ServerCall call)
    {
        var response = await handler(new RequestStream<TRequest>(call, method.RequestMarshaller), call);
        call.WriteSingle(response, method.ResponseMarshaller);
    }
}

internal sealed class BoundServerStreamingMethod<TRequest, TResponse>(
    Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse> handler) : BoundMethod(method.FullName)
    where TRequest : class
    where TResponse : class
{
    public override async Task InvokeAsync(ServerCall call)
    {
        var request = await call.ReadSingleAsync(method.RequestMarshaller);
        await handler(request, new ResponseStream<TResponse>(call, method.ResponseMarshaller), call);
    }
}

internal sealed class BoundDuplexStreamingMethod<TRequest, TResponse>(
    Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse> handler) : BoundMethod(method.FullName)
    where TRequest : class
    where TResponse : class
{
    public override Task InvokeAsync(ServerCall call) => handler(
        new RequestStream<TRequest>(call, method.RequestMarshaller),
        new ResponseStream<TResponse>(call, method.ResponseMarshaller),
        call);
}

internal sealed class BoundRawMethod(string fullName, RawServerMethod handler) : BoundMethod(fullName)
{
    public override Task InvokeAsync(ServerCall call) => handler(call.ToRaw());
}
