using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace RemoteExec.Rpc;

/// <summary>
/// The methods of a port, gathered by hand and not by reflection: a method may be generated or read and write its own bytes, and each
/// name is served once, by whoever was added first.
/// <code>
/// var methods = new RpcMethods();
/// methods.Add&lt;Uploads&gt;(new RpcLimits { … }, binder => binder.AddMethod(WriteMethod, bytes.WriteAsync));
/// methods.Add&lt;ByteStreamService&gt;(RpcLimits.Default, binder => ByteStream.BindService(binder, bytes)); // the rest of it
/// </code>
/// </summary>
public sealed class RpcMethods
{
    private readonly List<RpcGroup> _groups = [];
    private readonly HashSet<string> _names = new(StringComparer.Ordinal);

    /// <typeparam name="TGroup">Names the group: Grpc.AspNetCore keeps the limits of a message by the type of its service.</typeparam>
    /// <param name="only">Names of the methods meant, where <paramref name="bind"/> binds more; none: all.</param>
    public void Add<TGroup>(RpcLimits limits, Action<ServiceBinderBase> bind, params string[] only)
        where TGroup : class
    {
        var group = new RpcGroup<TGroup>(limits);
        bind(new RpcBinder<TGroup>(group, method => (only.Length == 0 || only.Contains(method.Name)) && _names.Add(method.FullName)));
        _groups.Add(group);
    }

    internal void AddTo(IGrpcServerBuilder builder)
    {
        foreach (var group in _groups) group.AddTo(builder);
    }

    internal void MapTo(IEndpointRouteBuilder endpoints)
    {
        foreach (var group in _groups) group.MapTo(endpoints);
    }
}
