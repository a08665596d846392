using Microsoft.Extensions.Logging;
using RemoteExec.Core;
using RemoteExec.Hosting;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>What <c>rexec-worker</c> is made of: a store of its own, channels to its coordinators, and the worker between them.</summary>
internal sealed class RunningWorker : IProgramWork
{
    // A coordinator that comes back takes its workers back, with what they run; their transfers must not be what fails.
    private static readonly TimeSpan OutageMax = TimeSpan.FromMinutes(1);

    // A coordinator that is there answers within a round trip; what runs here is waited for only a few seconds.
    private static readonly TimeSpan ConnectMax = TimeSpan.FromSeconds(2);

    // What is in a data directory of ours.
    private static readonly string[] WorkerFiles = ["cas", "work", WorkerName.FileName];

    private readonly Stack<object> _owned = new();
    private LocalWorker? _worker;

    public string Welcome { get; private set; } = "";

    public static async Task<RunningWorker> CreateAsync(WorkerFlags flags, WorkerMetrics? metrics, TimeProvider time, ILoggerFactory logs, CancellationToken cancellationToken)
    {
        var running = new RunningWorker();
        try
        {
            await running.ComposeAsync(flags, metrics, time, logs, cancellationToken);
            return running;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    public Task RunAsync(CancellationToken stopping) => _worker!.RunAsync(stopping); // composed before anybody holds this

    public async ValueTask DisposeAsync()
    {
        while (_owned.TryPop(out object? part))
        {
            if (part is IAsyncDisposable asynchronous)
                await asynchronous.DisposeAsync();
            else if (part is IDisposable disposable)
                disposable.Dispose();
        }
    }

    private async Task ComposeAsync(WorkerFlags flags, WorkerMetrics? metrics, TimeProvider time, ILoggerFactory logs, CancellationToken cancellationToken)
    {
        var options = flags.ToOptions();
        ForeignFiles.Refuse(options.DataDirectory, WorkerFiles, name => new WorkerRefusedException(name));
        Directory.CreateDirectory(options.DataDirectory);
        options = options with { Home = WorkerName.Of(options.DataDirectory) };
        if (flags.WorkerId is null) options = options with { WorkerId = options.Home };
        var local = Own(await DiskBlobStore.OpenAsync(WorkerCache.Options(options.DataDirectory, flags.CacheSizeBytes), time, cancellationToken));
        var blobChannel = Own(RpcChannels.Create(AddressOf(flags.Coordinators[0])));
        var coordinators = flags.Coordinators.Select(ChannelsTo).ToList();
        metrics?.Describe(options, () => local.Usage);
        // Blobs are shared by all instances of a coordinator, so one name serves for all leases.
        var remote = new RemoteBlobStore(blobChannel, InstanceName.Empty, new RemoteBlobStoreOptions { OutageMax = OutageMax });
        var connector = new RpcWorkerConnector(coordinators, time);
        // Which parts of the inputs here are parts of others too: a new version of a large one travels without what it has in common with those.
        var parts = Own(new ChunkedBlobStore(local, Own(ChunkLists.Open(
            new ChunkListsOptions { Directory = Path.Combine(options.DataDirectory, "chunks"), Retention = TimeSpan.Zero }, time))));
        var unfinished = UnfinishedBlobs.Open(WorkerCache.UnfinishedOptions(options.DataDirectory, flags.CacheSizeBytes));
        long sentBytesMin = flags.ChunkedOutputBytesMin == 0 ? long.MaxValue : flags.ChunkedOutputBytesMin;
        IBlobStore shared = flags.ChunkedInputBytesMin == 0
            ? new ChunkSendingBlobStore(remote, sentBytesMin)
            : new ChunkFetchingBlobStore(remote, parts, unfinished, new ChunkFetchOptions { BlobBytesMin = flags.ChunkedInputBytesMin, SentBytesMin = sentBytesMin });
        _worker = Own(await LocalWorker.CreateAsync(options, new LocalChunkedBlobStore(local, parts), shared, connector, metrics, time, logs, cancellationToken));
        Welcome = WorkerWelcome.Text(options, flags.Coordinators, _worker.Walls);
    }

    // Two ways to each: what is bulky or slow on the one must not keep life signs waiting on the other.
    private CoordinatorClients ChannelsTo(HostPort coordinator)
    {
        // The loop has a backoff of its own, which asks the next coordinator instead of the same one again.
        var joining = Own(RpcChannels.Create(AddressOf(coordinator), new RpcChannelOptions { AttemptsMax = 1, ConnectTimeout = ConnectMax }));
        var calling = Own(RpcChannels.Create(AddressOf(coordinator)));
        return new CoordinatorClients(
            new WorkerPool.WorkerPoolClient(joining.CreateCallInvoker()), new WorkerPool.WorkerPoolClient(calling.CreateCallInvoker()));
    }

    private T Own<T>(T part)
        where T : notnull
    {
        _owned.Push(part);
        return part;
    }

    private static Uri AddressOf(HostPort coordinator) => new($"http://{coordinator}");
}
