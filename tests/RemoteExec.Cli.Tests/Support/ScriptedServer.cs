using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Rpc;
using RemoteExec.Services;
using RemoteExec.Storage;

namespace RemoteExec.Cli.Tests;

/// <summary>A server whose stores are real, in memory, and whose executions are what the test says.</summary>
internal sealed class ScriptedServer : IAsyncDisposable
{
    private readonly RpcLoopback _port;
    private readonly ServicesComposition _services;

    private ScriptedServer(RpcLoopback port, ServicesComposition services, ScriptedExecutions executions, MemoryBlobStore blobs, MemoryActionCache results) =>
        (_port, _services, Executions, Blobs, Results) = (port, services, executions, blobs, results);

    public ScriptedExecutions Executions { get; }

    public MemoryBlobStore Blobs { get; }

    public MemoryActionCache Results { get; }

    public string Address => $"grpc://{_port.EndPoint}";

    public static async Task<ScriptedServer> StartAsync()
    {
        var blobs = new MemoryBlobStore(limitBytes: 512 << 20, TimeSpan.FromHours(1), TimeProvider.System);
        var results = new MemoryActionCache(limitBytes: 64 << 20);
        var services = new ServicesComposition(new ChunkedBlobStore(blobs, ChunkLists.Open(new ChunkListsOptions(), TimeProvider.System)), results, scheduler: null, new ServicesOptions(), TimeProvider.System);
        var executions = new ScriptedExecutions();
        services.Methods.Add<ScriptedExecutions>(RpcLimits.Default, binder => Execution.BindService(binder, executions));
        services.Methods.Add<ScriptedOperations>(RpcLimits.Default, binder => Operations.BindService(binder, new ScriptedOperations(executions)));
        return new ScriptedServer(await RpcLoopback.StartAsync(services.Methods), services, executions, blobs, results);
    }

    public Task<Digest> PutAsync(string text) => PutAsync(System.Text.Encoding.UTF8.GetBytes(text));

    public async Task<Digest> PutAsync(byte[] content) => await Blobs.WriteAllAsync(DigestFunction.Sha256, content, CancellationToken.None);

    public async ValueTask DisposeAsync()
    {
        await _port.DisposeAsync();
        await _services.DisposeAsync();
    }

    private sealed class ScriptedOperations(ScriptedExecutions executions) : Operations.OperationsBase
    {
        public override Task<Empty> CancelOperation(CancelOperationRequest request, ServerCallContext context)
        {
            executions.Cancelled.TrySetResult(request.Name);
            return Task.FromResult(new Empty());
        }
    }
}
