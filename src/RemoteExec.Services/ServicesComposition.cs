using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using ReflectionAlpha = Grpc.Reflection.V1Alpha.ServerReflection;
using ReflectionV1 = Grpc.Reflection.V1.ServerReflection;

namespace RemoteExec.Services;

/// <summary>All services of a server, made of its stores and its scheduler, ready to be added to its gRPC endpoint.</summary>
public sealed class ServicesComposition : IAsyncDisposable
{
    // Bazel asks for thousands of digests at once, a hundred bytes each (REAPI C1).
    private const int FindMissingBytesMax = 16 * 1024 * 1024;

    // Results list their outputs; a hundred thousand of them take this.
    private const int ResultBytesMax = 16 * 1024 * 1024;

    private readonly List<ServerServiceDefinition> _definitions = [];
    private readonly List<ServiceDescriptor> _descriptors = [];
    private readonly ByteStreamService _byteStream;
    private readonly FindMissingBlobs _findMissing;

    /// <param name="cache">Answers complete results only.</param>
    /// <param name="scheduler">Null on a server that only stores.</param>
    public ServicesComposition(IBlobStore store, IActionCache cache, Scheduler? scheduler, ServicesOptions options, TimeProvider clock)
    {
        LiveLogs = scheduler is null ? null : new LiveLogs(lease => scheduler.FindLease(lease)?.Request, options, clock);
        _byteStream = new ByteStreamService(store, LiveLogs, options, clock);
        _findMissing = new FindMissingBlobs(store);

        Add(Capabilities.BindService(new CapabilitiesService(options)), Capabilities.Descriptor);
        Add(ContentAddressableStorage.BindService(new ContentAddressableStorageService(store, options)), ContentAddressableStorage.Descriptor);
        Add(ByteStream.BindService(_byteStream), ByteStream.Descriptor);
        Add(ActionCache.BindService(new ActionCacheService(cache, store, options)), ActionCache.Descriptor);
        if (scheduler is not null)
        {
            Workers = new WorkerConversation(scheduler, store, LiveLogs!, options, clock); // made with the scheduler
            Add(Execution.BindService(new ExecutionService(scheduler, cache, store, options, clock)), Execution.Descriptor);
            Add(Operations.BindService(new OperationsService(scheduler, clock)), Operations.Descriptor);
            Add(WorkerPool.BindService(new WorkerPoolService(Workers)), WorkerPool.Descriptor);
        }

        // Last, because they speak of the others and of themselves.
        _descriptors.AddRange([Grpc.Health.V1.Health.Descriptor, ReflectionV1.Descriptor, ReflectionAlpha.Descriptor]);
        Health = new HealthService(_descriptors.Select(service => service.FullName));
        var reflection = new ReflectionService(_descriptors);
        _definitions.AddRange(
        [
            Grpc.Health.V1.Health.BindService(Health),
            ReflectionV1.BindService(reflection),
            ReflectionAlpha.BindService(new ReflectionAlphaService(reflection)),
        ]);
    }

    /// <summary>Serves workers, in this process or over gRPC; null on a server that only stores.</summary>
    public WorkerConversation? Workers { get; }

    /// <summary>What running actions write; null on a server that only stores.</summary>
    public LiveLogs? LiveLogs { get; }

    /// <summary>Says "not serving" until told otherwise.</summary>
    public HealthService Health { get; }

    /// <summary>Uploads that wait for their clients, or have them.</summary>
    public int UnfinishedUploads => _byteStream.UnfinishedUploads;

    /// <summary>For <see cref="RpcServerOptions.Methods"/>: methods whose messages may be larger than gRPC's usual 4 MiB.</summary>
    public static IReadOnlyDictionary<string, RpcMethodOptions> MethodOptions(ServicesOptions options) => new Dictionary<string, RpcMethodOptions>
    {
        [FindMissingBlobs.MethodName] = new() { ReceiveBytesMax = FindMissingBytesMax },
        // Up to twice what is announced is taken (REAPI C4), and what surrounds the blobs needs room too.
        ["/build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs"] =
            new() { ReceiveBytesMax = (2 * options.BatchBytesMax) + (4 * 1024 * 1024) },
        ["/build.bazel.remote.execution.v2.ActionCache/UpdateActionResult"] = new() { ReceiveBytesMax = ResultBytesMax },
        ["/remoteexec.v1.WorkerPool/Join"] = new() { ReceiveBytesMax = ResultBytesMax },
    };

    public void AddTo(RpcServer server)
    {
        foreach (var definition in _definitions) server.AddService(definition);
        server.AddRawMethod(FindMissingBlobs.MethodName, _findMissing.HandleAsync);
        server.AddRawMethod(ByteStreamService.ReadMethodName, _byteStream.ReadAsync);
        server.AddRawMethod(ByteStreamService.WriteMethodName, _byteStream.WriteAsync);
    }

    public ValueTask DisposeAsync()
    {
        LiveLogs?.Dispose();
        return _byteStream.DisposeAsync();
    }

    private void Add(ServerServiceDefinition definition, ServiceDescriptor descriptor)
    {
        _definitions.Add(definition);
        _descriptors.Add(descriptor);
    }
}
