namespace Grpc.Core;

/// <summary>Base of generated clients, knowing its own type.</summary>
public abstract class ClientBase<T> : ClientBase
    where T : ClientBase<T>
{
    protected ClientBase() { }

    protected ClientBase(ChannelBase channel) : base(channel) { }

    protected ClientBase(CallInvoker callInvoker) : base(callInvoker) { }

    protected ClientBase(ClientBaseConfiguration configuration) : base(configuration) { }

    /// <summary>A client of the same service for another authority. One channel has one authority here.</summary>
    public T WithHost(string host) => NewInstance(Configuration);

    protected abstract T NewInstance(ClientBaseConfiguration configuration);
}
