using Grpc.Net.Client;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>A connection to one server, made when it is first used.</summary>
internal sealed class RemoteServer(Uri address, InstanceName instance) : IDisposable
{
    public Uri Address { get; } = address;

    public GrpcChannel Channel { get; } = RpcChannels.Create(address);

    public InstanceName Instance { get; } = instance;

    public IBlobStore OpenStore() => new RemoteBlobStore(Channel, Instance, new RemoteBlobStoreOptions());

    public void Dispose() => Channel.Dispose();
}
