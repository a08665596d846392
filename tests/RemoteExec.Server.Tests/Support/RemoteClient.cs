using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.LongRunning;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.Net.Client;
using RemoteExec.Client;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;
using DigestFunction = RemoteExec.Core.DigestFunction;

namespace RemoteExec.Server.Tests;

/// <summary>A client of one server: uploads and executes shell scripts.</summary>
internal sealed class RemoteClient : IDisposable
{
    private readonly GrpcChannel _channel;

    public RemoteClient(Uri address)
    {
        _channel = RpcChannels.Create(address);
        Blobs = new RemoteBlobStore(_channel, InstanceName.Empty, new RemoteBlobStoreOptions());
        var invoker = _channel.CreateCallInvoker();
        Execution = new Execution.ExecutionClient(invoker);
        Capabilities = new Capabilities.CapabilitiesClient(invoker);
        Operations = new Operations.OperationsClient(invoker);
        Health = new Health.HealthClient(invoker);
        Bytes = new ByteStream.ByteStreamClient(invoker);
        ActionCache = new ActionCache.ActionCacheClient(invoker);
    }

    public RemoteBlobStore Blobs { get; }

    public Execution.ExecutionClient Execution { get; }

    public Operations.OperationsClient Operations { get; }

    public Capabilities.CapabilitiesClient Capabilities { get; }

    public Health.HealthClient Health { get; }

    public ByteStream.ByteStreamClient Bytes { get; }

    public ActionCache.ActionCacheClient ActionCache { get; }

    /// <summary>Executes a script to its end.</summary>
    public async Task<ExecuteResponse> RunAsync(string script, params (string Name, string Value)[] environment)
    {
        var action = await UploadAsync(script, environment);
        return await new ExecutionFollower(_channel.CreateCallInvoker(), "", TimeProvider.System)
            .ExecuteAsync(action, skipCacheLookup: false, priority: 0, onUpdate: null, CancellationToken.None);
    }

    /// <summary>Asks for a script and stays until that is accepted; the stream is the caller's.</summary>
    public async Task<(AsyncServerStreamingCall<Operation> Call, string Name)> SubmitAsync(string script)
    {
        var action = await UploadAsync(script);
        var call = Execution.Execute(new ExecuteRequest { ActionDigest = action.ToWire() }, new CallOptions());
        return await call.ResponseStream.MoveNext(CancellationToken.None)
            ? (call, call.ResponseStream.Current.Name)
            : throw new InvalidOperationException("the stream ended at once");
    }

    /// <summary>Begins a script and stays until it runs; the stream is the caller's.</summary>
    public async Task<(AsyncServerStreamingCall<Operation> Call, string Name)> BeginAsync(string script)
    {
        var action = await UploadAsync(script);
        var call = Execution.Execute(new ExecuteRequest { ActionDigest = action.ToWire() }, new CallOptions());
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            var operation = call.ResponseStream.Current;
            if (operation.Done || operation.Metadata.Unpack<ExecuteOperationMetadata>().Stage == ExecutionStage.Types.Value.Executing)
                return (call, operation.Name);
        }

        throw new InvalidOperationException("the stream ended before the action ran");
    }

    public void Dispose() => _channel.Dispose();

    /// <summary>The script as an action, with all that is its own.</summary>
    public async Task<Core.Digest> UploadAsync(string script, params (string Name, string Value)[] environment)
    {
        var command = new RemoteCommand
        {
            Arguments = ["/bin/sh", "-c", script],
            Environment = environment.ToDictionary(pair => pair.Name, pair => pair.Value),
            OutputPaths = ["out.txt"],
            Platform = [new("resources:cpu", "1")],
        };
        var action = PreparedAction.Create(command, InputTreeBuilder.Empty(DigestFunction.Sha256));
        await new BlobUploader(Blobs).UploadAsync(action.Blobs, CancellationToken.None);
        return action.Action;
    }
}
