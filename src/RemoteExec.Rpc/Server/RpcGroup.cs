using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Model;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace RemoteExec.Rpc;

internal abstract class RpcGroup
{
    public abstract void AddTo(IGrpcServerBuilder builder);

    public abstract void MapTo(IEndpointRouteBuilder endpoints);
}

/// <summary>Methods with the same limits: to Grpc.AspNetCore a service, and what tells it the methods of that service.</summary>
internal sealed class RpcGroup<TGroup>(RpcLimits limits) : RpcGroup, IServiceMethodProvider<RpcGroup<TGroup>>
    where TGroup : class
{
    private readonly List<Action<ServiceMethodProviderContext<RpcGroup<TGroup>>>> _methods = [];

    public RpcLimits Limits => limits;

    public void Add(Action<ServiceMethodProviderContext<RpcGroup<TGroup>>> method) => _methods.Add(method);

    public void OnServiceMethodDiscovery(ServiceMethodProviderContext<RpcGroup<TGroup>> context)
    {
        foreach (var method in _methods) method(context);
    }

    public override void AddTo(IGrpcServerBuilder builder)
    {
        builder.Services.AddSingleton(this);
        builder.Services.TryAddEnumerable(ServiceDescriptor.Singleton<IServiceMethodProvider<RpcGroup<TGroup>>>(this));
        if (limits.ReceiveBytesMax is { } bytes)
            builder.AddServiceOptions<RpcGroup<TGroup>>(options => options.MaxReceiveMessageSize = bytes);
    }

    public override void MapTo(IEndpointRouteBuilder endpoints) => endpoints.MapGrpcService<RpcGroup<TGroup>>();
}
