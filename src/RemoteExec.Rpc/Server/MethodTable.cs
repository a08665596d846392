using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>Collects the methods of a server by full name. A name is served once.</summary>
internal sealed class MethodTable : ServiceBinderBase
{
    private readonly Dictionary<string, BoundMethod> _methods = new(StringComparer.Ordinal);

    public IReadOnlyDictionary<string, BoundMethod> Methods => _methods;

    public void Add(BoundMethod method)
    {
        // A raw handler is the deliberate choice for one method of a service that is otherwise served by its
        // generated base class, which binds every method.
        if (_methods.TryGetValue(method.FullName, out var other))
        {
            if (other is BoundRawMethod && method is not BoundRawMethod) return;
            if (other is not BoundRawMethod && method is BoundRawMethod) _methods[method.FullName] = method;
            else throw new InvalidOperationException($"{method.FullName} is already served");
            return;
        }

        _methods.Add(method.FullName, method);
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is not null) Add(new BoundUnaryMethod<TRequest, TResponse>(method, handler));
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is not null) Add(new BoundClientStreamingMethod<TRequest, TResponse>(method, handler));
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is not null) Add(new BoundServerStreamingMethod<TRequest, TResponse>(method, handler));
    }

    public override void AddMethod<TRequest, TResponse>(
        Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
    {
        if (handler is not null) Add(new BoundDuplexStreamingMethod<TRequest, TResponse>(method, handler));
    }
}
