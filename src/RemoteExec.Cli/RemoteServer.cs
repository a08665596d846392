using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using Grpc.Net.Client;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Cli;

/// <summary>A connection to one server, made when it is first used.</summary>
internal sealed class RemoteServer(Uri address, InstanceName instance, Uri http) : IDisposable
{
    public GrpcChannel Channel { get; } = RpcChannels.Create(address);

    public InstanceName Instance { get; } = instance;

    /// <summary>Where the page and its JSON are, or are thought to be.</summary>
    public Uri Http { get; } = http;

    /// <summary>Its gRPC address, as it is written.</summary>
    public string Name { get; } = $"{(address.Scheme == "https" ? "grpcs" : "grpc")}://{address.Authority}";

    /// <param name="outageMax">How long the server may be away in the middle of it.</param>
    public IBlobStore OpenStore(TimeSpan outageMax) =>
        new ChunkSendingBlobStore(new RemoteBlobStore(Channel, Instance, new RemoteBlobStoreOptions { OutageMax = outageMax }));

    public IBlobStore OpenStore() => OpenStore(TimeSpan.Zero);

    /// <summary>What the server can do; null when it does not say. A server that is not there is found out here, before anything else is done.</summary>
    public async ValueTask<ServerCapabilities?> AskCapabilitiesAsync(CancellationToken cancellationToken)
    {
        try
        {
            var client = new Capabilities.CapabilitiesClient(Channel.CreateCallInvoker());
            return await client.GetCapabilitiesAsync(
                new GetCapabilitiesRequest { InstanceName = Instance.Value }, new CallOptions(cancellationToken: cancellationToken));
        }
        catch (RpcException old) when (old.StatusCode == StatusCode.Unimplemented && old.Status.DebugException is null)
        {
            return null;
        }
    }

    public void Dispose() => Channel.Dispose();
}
