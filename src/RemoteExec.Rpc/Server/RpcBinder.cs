using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>Takes the methods that generated code, or somebody by hand, binds, and puts the wanted ones into a group.</summary>
internal sealed class RpcBinder<TGroup>(RpcGroup<TGroup> group, Predicate<IMethod> isWanted) : ServiceBinderBase
    where TGroup : class
{
    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is null || !isWanted(method)) return;
        group.Add(context => context.AddUnaryMethod(
            CheckedMessages.Of(method), Metadata(method), (_, request, call) => handler(request, call)));
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is null || !isWanted(method)) return;
        group.Add(context => context.AddClientStreamingMethod(
            CheckedMessages.Of(method), Metadata(method), (_, requests, call) => handler(requests, call)));
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is null || !isWanted(method)) return;
        group.Add(context => context.AddServerStreamingMethod(
            CheckedMessages.Of(method), Metadata(method), (_, request, responses, call) => handler(request, responses, call)));
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is null || !isWanted(method)) return;
        group.Add(context => context.AddDuplexStreamingMethod(
            CheckedMessages.Of(method), Metadata(method), (_, requests, responses, call) => handler(requests, responses, call)));
    }

    private object[] Metadata(IMethod method) => [new ServedMethod(method.FullName, group.Limits)];
}
