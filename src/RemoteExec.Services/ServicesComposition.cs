using Build.Bazel.Remote.Asset.v1;
using Build.Bazel.Remote.Execution.V2;
using Build.Bazel.Remote.LogStream.v1;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Health.V1;
using Grpc.HealthCheck;
using Grpc.Reflection;
using RemoteExec.Assets;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using ReflectionAlpha = Grpc.Reflection.V1Alpha.ServerReflection;
using ReflectionV1 = Grpc.Reflection.V1.ServerReflection;

namespace RemoteExec.Services;

/// <summary>All services of a server, made of its stores and its scheduler, ready to be added to its gRPC port.</summary>
public sealed class ServicesComposition : IAsyncDisposable
{
    // Bazel asks for thousands of digests at once, a hundred bytes each (REAPI C1).
    private const int FindMissingBytesMax = 16 * 1024 * 1024;

    // Results list their outputs; a hundred thousand of them take this.
    private const int ResultBytesMax = 16 * 1024 * 1024;

    // Up to twice what is announced is taken (REAPI C4), and what surrounds the blobs needs room too.
    private const int BatchFramingBytesMax = 4 * 1024 * 1024;

    // A client may pause while it makes what it uploads, or read its input from a slow disk; who is silent for longer is gone, and
    // would hold one of the uploads that a server has room for.
    private static readonly TimeSpan UploadIdleMax = TimeSpan.FromSeconds(90);

    // Tools keep a reflection stream open while a person thinks.
    private static readonly TimeSpan ReflectionIdleMax = TimeSpan.FromMinutes(10);

    private readonly HealthServiceImpl _health = new();
    private readonly List<string> _names = [""]; // the empty name is the server as a whole (health.proto)
    private readonly WrittenLogs _writtenLogs;
    private readonly ByteStreamService _byteStream;
    private readonly AnswerBudget _unsent;
    private readonly BlobSplitter _splitter;
    private readonly Rederivations? _rederivations;
    private readonly LiveInputs? _liveInputs;

    /// <param name="cache">Answers complete results only.</param>
    /// <param name="scheduler">Null on a server that only stores.</param>
    /// <param name="assets">Null on a server that fetches nothing.</param>
    /// <param name="producers">What the writer of results learns; null where lost inputs are not made again.</param>
    public ServicesComposition(
        ChunkedBlobStore store, IActionCache cache, Scheduler? scheduler, ServicesOptions options, TimeProvider clock, AssetFetcher? assets = null,
        ProducerTable? producers = null)
    {
        LiveLogs = scheduler is null ? null : new LiveLogs(lease => scheduler.FindLease(lease)?.Request, options, clock);
        _writtenLogs = new WrittenLogs(options, clock);
        _byteStream = new ByteStreamService(store, LiveLogs, _writtenLogs, options, clock);
        _unsent = new AnswerBudget(options.UnsentAnswersBytesMax, clock);
        _splitter = new BlobSplitter(store, options.Chunking);

        List<ServiceDescriptor> offered = [Capabilities.Descriptor, ContentAddressableStorage.Descriptor, ByteStream.Descriptor, ActionCache.Descriptor, LogStreamService.Descriptor];
        Results = new ResultUploads(cache, store, options);
        AddStores(store, cache, options);
        if (assets is not null)
        {
            offered.AddRange([Fetch.Descriptor, Push.Descriptor]);
            Methods.Add<FetchService>(RpcLimits.Default, binder => Fetch.BindService(binder, new FetchService(assets, options)));
            Methods.Add<PushService>(RpcLimits.Default, binder => Push.BindService(binder, new PushService(assets, options)));
        }

        if (scheduler is not null)
        {
            offered.AddRange([Execution.Descriptor, Operations.Descriptor, WorkerPool.Descriptor]);
            var door = new ActionDoor(store, options, clock);
            _rederivations = producers is null || options.Rederivation.DepthMax == 0 ? null : new Rederivations(scheduler, producers, store, door, options);
            Workers = new WorkerConversation(scheduler, store, LiveLogs!, _rederivations, options, clock); // made with the scheduler
            AddExecution(scheduler, cache, store, door, options, clock);
            _liveInputs = new LiveInputs(scheduler, door, options, clock);
        }

        // Last, because they speak of the others and of themselves.
        offered.AddRange([Grpc.Health.V1.Health.Descriptor, ReflectionV1.Descriptor, ReflectionAlpha.Descriptor]);
        _names.AddRange(offered.Select(service => service.FullName));
        SetServing(false);
        AddTools(offered);
    }

    /// <summary>For a gRPC port: every method with its limits.</summary>
    public RpcMethods Methods { get; } = new();

    /// <summary>For those who bring results another way than by gRPC.</summary>
    public ResultUploads Results { get; }

    /// <summary>Serves workers, in this process or over gRPC; null on a server that only stores.</summary>
    public WorkerConversation? Workers { get; }

    /// <summary>What running actions write; null on a server that only stores.</summary>
    public LiveLogs? LiveLogs { get; }

    /// <summary>Logs that clients write.</summary>
    internal WrittenLogs WrittenLogs => _writtenLogs;

    /// <summary>Uploads that wait for their clients, or have them.</summary>
    public int UnfinishedUploads => _byteStream.UnfinishedUploads;

    /// <summary>Of large answers, what their clients have not taken yet.</summary>
    internal long UnsentAnswersBytes => _unsent.HeldBytes;

    /// <summary>What a gRPC port makes of the failures that our rooms have names for.</summary>
    public static RpcException? ToRpc(Exception failure) => failure is SchedulingException refused ? refused.ToRpc() : null;

    /// <summary>Sets the health of the server and of every service in it. It is "not serving" until told otherwise.</summary>
    public void SetServing(bool isServing)
    {
        foreach (string name in _names)
            _health.SetStatus(name, isServing ? HealthCheckResponse.Types.ServingStatus.Serving : HealthCheckResponse.Types.ServingStatus.NotServing);
    }

    /// <summary>The server leaves: who follows a log, or writes one, is told.</summary>
    public void CloseLogs()
    {
        LiveLogs?.Close();
        _writtenLogs.Close();
    }

    public async ValueTask DisposeAsync()
    {
        if (_liveInputs is not null) await _liveInputs.DisposeAsync();
        if (_rederivations is not null) await _rederivations.DisposeAsync();
        LiveLogs?.Dispose();
        _writtenLogs.Dispose();
        _splitter.Dispose();
        await _byteStream.DisposeAsync();
    }

    private void AddStores(IBlobStore store, IActionCache cache, ServicesOptions options)
    {
        var blobs = new ContentAddressableStorageService(store, new ChunkedBlobs(_splitter, options, _unsent), options, _unsent);
        var findMissing = new FindMissingBlobs(store, options.UnnamedDigestFunction, _unsent);
        var batchUpdate = new BatchUpdateBlobs(store, options);
        var batchRead = new BatchReadBlobs(store, options, _unsent);
        var results = new ActionCacheService(cache, Results, store, options, _unsent);

        Methods.Add<CapabilitiesService>(RpcLimits.Default, binder => Capabilities.BindService(binder, new CapabilitiesService(options)));

        Methods.Add<FindMissingBlobs>(
            new RpcLimits { ReceiveBytesMax = FindMissingBytesMax },
            binder => binder.AddMethod(FindMissingBlobs.Method, findMissing.HandleAsync));
        Methods.Add<BatchUpdateBlobs>(
            new RpcLimits { ReceiveBytesMax = (2 * options.BatchBytesMax) + BatchFramingBytesMax, TooLarge = BatchRules.TooLarge(options) },
            binder => binder.AddMethod(BatchUpdateBlobs.Method, batchUpdate.HandleAsync));
        Methods.Add<BatchReadBlobs>(
            RpcLimits.Default,
            binder => binder.AddMethod(BatchReadBlobs.Method, batchRead.HandleAsync));
        Methods.Add<ContentAddressableStorageService>(RpcLimits.Default, binder => ContentAddressableStorage.BindService(binder, blobs));

        Methods.Add<WriteRequest>(
            new RpcLimits { ReceiveIdleMax = UploadIdleMax },
            binder => binder.AddMethod(ByteStreamService.WriteMethod, _byteStream.WriteAsync));
        Methods.Add<ByteStreamService>(RpcLimits.Default, binder =>
        {
            binder.AddMethod(ByteStreamService.ReadMethod, _byteStream.ReadAsync);
            ByteStream.BindService(binder, _byteStream);
        });
        Methods.Add<LogStreamsService>(RpcLimits.Default, binder => LogStreamService.BindService(binder, new LogStreamsService(_writtenLogs)));

        Methods.Add<UpdateActionResultRequest>(
            new RpcLimits { ReceiveBytesMax = ResultBytesMax },
            binder => ActionCache.BindService(binder, results), nameof(results.UpdateActionResult));
        Methods.Add<ActionCacheService>(RpcLimits.Default, binder => ActionCache.BindService(binder, results));
    }

    private void AddExecution(Scheduler scheduler, IActionCache cache, IBlobStore store, ActionDoor door, ServicesOptions options, TimeProvider clock)
    {
        Methods.Add<ExecutionService>(
            RpcLimits.Default, binder => Execution.BindService(binder, new ExecutionService(scheduler, cache, store, door, _rederivations, options, _unsent)));
        Methods.Add<OperationsService>(RpcLimits.Default, binder => Operations.BindService(binder, new OperationsService(scheduler, options, clock)));
        var workers = new WorkerPoolService(Workers!); // made with the scheduler
        Methods.Add<ReportRequest>(
            new RpcLimits { ReceiveBytesMax = options.Limits.ReportBytesMax }, binder => WorkerPool.BindService(binder, workers), nameof(workers.Report));
        Methods.Add<WorkerPoolService>(
            // A worker is heard by the scheduler, which knows better how long it may be silent.
            new RpcLimits { ReceiveIdleMax = Timeout.InfiniteTimeSpan, EndsWithServer = true }, binder => WorkerPool.BindService(binder, workers));
    }

    private void AddTools(List<ServiceDescriptor> offered)
    {
        Methods.Add<HealthServiceImpl>(new RpcLimits { EndsWithServer = true }, binder => Grpc.Health.V1.Health.BindService(binder, _health));
        Methods.Add<ReflectionServiceImpl>(new RpcLimits { ReceiveIdleMax = ReflectionIdleMax, EndsWithServer = true }, binder =>
        {
            ReflectionV1.BindService(binder, new ReflectionV1ServiceImpl(offered));
            ReflectionAlpha.BindService(binder, new ReflectionServiceImpl(offered));
        });
    }
}
