using System.Net;
using Microsoft.Extensions.Logging;
using RemoteExec.Assets;
using RemoteExec.Core;
using RemoteExec.Hosting;
using RemoteExec.Observability;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Scheduling.Local;
using RemoteExec.Services;
using RemoteExec.Storage;
using RemoteExec.Web;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>The running system, top to bottom: bytes, rules, services, ports, worker.</summary>
internal static class ServerComposition
{
    // Results read again and again in one build; the rest is a file away.
    private const long HotResultsBytes = 64 << 20;

    // Some hours of a busy machine; a response is some kilobytes, and the few huge ones must not add up.
    private const int HistoryRecordsMax = 2000;
    private const long HistoryBytesMax = 16 << 20;

    private const int WebConnectionsMost = 1024;

    /// <summary>Everything, ready to be started: a host with its work in it.</summary>
    /// <exception cref="ServerRefusedException">And the refusals of the rooms: one sentence each for the operator.</exception>
    public static async Task<ServerPorts> ComposeAsync(
        ServerOptions options, IReadOnlyList<InheritedSocket> inherited, ProgramRun run, CancellationToken cancellationToken)
    {
        var time = run.Time;
        var running = new RunningServer(options, time, run.Logs, run.Hurrying);
        try
        {
            var paths = new ServerPaths(options.DataDirectory);
            RefuseStrange(inherited);
            var grpc = await PortAddress.FindAsync("grpc", options.Grpc, inherited, cancellationToken);
            var http = await PortAddress.FindAsync("http", options.Http, inherited, cancellationToken);
            DataDirectory.Create(paths.DataDirectory);

            // Observability first: the rooms below count from their first moment.
            var events = new ServerEvents(run.Logs.CreateLogger("RemoteExec.Server"), time);
            var metrics = running.Own(new ServerMetrics(
                running.Health, roles: string.Join(',', options.Roles.Select(role => role.ToString().ToLowerInvariant()).Order()), events));
            var history = new ActionHistory(HistoryRecordsMax, HistoryBytesMax);

            // Bytes.
            var bytes = await ServerBlobs.OpenAsync(options, paths, running, metrics, time, cancellationToken);
            var chunkLists = running.Own(ChunkLists.Open(
                new ChunkListsOptions { Directory = paths.Chunks, Retention = options.Retention, UnusedFor = bytes.UnusedFor }, time));
            var blobs = running.Own(new ChunkedBlobStore(bytes.Shared, chunkLists, options.Chunking));
            ILocalBlobStore files = bytes.IsElsewhere ? new FileCopyingBlobStore(blobs) : new LocalChunkedBlobStore(bytes.Local!, blobs);
            metrics.WatchDisk(() => DataDirectory.FreeBytes(paths.DataDirectory));
            var results = running.Own(DiskActionCache.Open(new DiskActionCacheOptions { Directory = paths.ActionCache }, time));
            if (bytes.Whole is { } disk) running.Own(new ResultEviction(results, disk, chunkLists));
            var hotResults = new HotActionCache(results, HotResultsBytes);
            var actionCache = new CompletenessCheckingActionCache(hotResults, blobs, metrics.ActionCache);

            // Rules.
            var serving = ServicesOptionsOf(options, http.Address) with
            {
                Observer = metrics.Services,
                // Nobody is asked who he is: whoever reaches a port that others reach is not to be trusted with what everybody builds from.
                AssetPushEnabled = options.AllowPush || grpc.IsLoopback,
            };
            Scheduler? scheduler = null;
            ProducerTable? producers = null;
            if (options.Plays(ServerRole.Coordinator))
            {
                if (options.RederiveDepth > 0)
                    producers = running.Own(ProducerTable.Open(new ProducerTableOptions { Directory = paths.Producers, EntriesMax = options.RederiveEntries }));
                var actionCacheWriter = new ActionCacheWriter(actionCache, blobs, serving, producers);
                var journal = running.Own(new FileOperationJournal(new FileOperationJournalOptions { Directory = paths.Journal, Observer = metrics.Journal, Warned = running.JournalWarned }));
                scheduler = running.Own(new Scheduler(
                    SchedulerOptionsOf(options) with
                    {
                        Observer = metrics.Scheduling,
                        WorkerMoved = events.WorkerMoved,
                        ClientLost = operation => events.ClientLost(operation, options.AbandonedGrace),
                    },
                    journal,
                    time,
                    (completed, cancellation) =>
                    {
                        history.Add(completed);
                        events.Ended(completed);
                        return actionCacheWriter.OnCompletedAsync(completed, cancellation);
                    },
                    running.SchedulerFaultChanged));
                await scheduler.StartAsync(cancellationToken);
                metrics.WatchJournal(() => journal.LengthBytes);
                metrics.WatchQueue(scheduler.Snapshot);
                var (found, stored) = (scheduler.Snapshot(), bytes.Usage());
                running.Begun = () => events.Recovered(found, stored);
            }

            // Services and ports.
            var assets = running.Own(new AssetFetcher(
                AssetOptionsOf(options, paths) with { Observer = metrics.Assets }, files, time));
            metrics.WatchAssets(() => assets.Running);
            var services = running.Own(new ServicesComposition(blobs, actionCache, scheduler, serving, time, assets, producers));
            metrics.WatchUploads(() => services.UnfinishedUploads);
            int connectionsMax = RpcServerOptions.ConnectionsMaxOf(OpenFiles.Max());
            var rpc = new RpcPort(services.Methods, new RpcServerOptions
            {
                Http1Answer = $"This port speaks gRPC (HTTP/2). For the web page open http://{ReachableAs(http.Address)}; Bazel wants --remote_executor=grpc://{ReachableAs(grpc.Address)}.",
                Failures = ServicesComposition.ToRpc,
                Leaving = () => RpcErrors.Unavailable("the coordinator is shutting down"),
                Observers = [metrics.Rpc],
                ConnectionsMax = connectionsMax,
                Time = time,
            });
            var web = new WebServer(new WebSources
            {
                // A page needs few, and where there are few they are for calls.
                ConnectionsMax = Math.Clamp(connectionsMax / 4, 1, WebConnectionsMost),
                Version = serving.Version,
                GrpcAddress = () => $"grpc://{rpc.EndPoint}",
                Time = time,
                Health = running.Health,
                Metrics = metrics,
                History = history,
                Blobs = blobs,
                Queue = () => scheduler?.Snapshot() ?? new QueueSnapshot(time.GetUtcNow(), 0, 0, 0, [], [], []),
                LiveOperations = count => scheduler?.ListLive(count) ?? [],
                FindLive = execution => scheduler?.FindLive(execution),
                LiveOutput = (lease, stream, newestBytesMax) => services.LiveLogs?.Peek(lease, stream, newestBytesMax) is { } soFar
                    ? new OutputSoFar(soFar.Head, soFar.Newest, soFar.LengthBytes)
                    : default,
                Storage = bytes.Usage,
                // Who reaches this port and not the other would be given what was not opened to him.
                GrpcForJson = http.IsLoopback || !grpc.IsLoopback ? () => new Uri($"http://{FromHere(rpc.EndPoint)}") : null,
                Cache = http.IsLoopback || !grpc.IsLoopback
                    ? new HttpCacheSources
                    {
                        Results = actionCache,
                        Sizes = new CompletenessCheckingActionCache(hotResults, blobs),
                        StoreResultAsync = services.Results.StoreAsync,
                        UnnamedDigestFunction = serving.UnnamedDigestFunction,
                        BlobBytesMax = serving.BlobBytesMax,
                    }
                    : null,
            });
            var worker = options.Plays(ServerRole.Worker)
                ? running.Own(await LocalWorker.CreateAsync(
                    WorkerOptionsOf(options, paths), bytes.IsElsewhere ? bytes.Local! : files, bytes.IsElsewhere ? blobs : null, // a worker has a disk
                    running.Own(new InProcessConnector(services.Workers!)), // a worker implies a coordinator
                    time, run.Logs, cancellationToken))
                : null;

            var ports = new ServerPorts(rpc, grpc, web, http, run, running);
            var store = bytes.Usage();
            running.Health.Warnings =
                [.. Dangers.Of(grpc, http, options), .. Dangers.OfLimit(store.LimitBytes, store.UsedBytes, DataDirectory.FreeBytes(paths.DataDirectory), paths.DataDirectory)];
            running.Take(scheduler, services, ports, worker, () => Welcome.Text(
                serving.Version, $"grpc://{ReachableAs(rpc.EndPoint)}", new Uri($"http://{ReachableAs(IPEndPoint.Parse(web.Address.Authority))}"), running.Health.Warnings, options, bytes.Usage(), worker));
            return ports;
        }
        catch
        {
            await running.DisposeAsync();
            throw;
        }
    }

    private static ServicesOptions ServicesOptionsOf(ServerOptions options, IPEndPoint http) => new()
    {
        ExecutionEnabled = options.Plays(ServerRole.Coordinator),
        ActionCacheUpdateEnabled = !options.ReadOnlyActionCache,
        TellsBuildbarnUsage = options.BuildbarnUsage,
        IncompleteResults = options.IncompleteResults,
        UnnamedDigestFunction = options.UnnamedDigestFunction,
        Chunking = options.Chunking,
        Rederivation = new RederivationOptions { DepthMax = options.RederiveDepth, ActionsMax = options.RederiveActions, RunningMax = options.RederiveRunning },
        Limits = Limits.Default with { Tree = Limits.Default.Tree with { AllowsAbsoluteSymlinks = options.AbsoluteSymlinks == AbsoluteSymlinks.Allowed } },
        LogStreamBytesMax = (int)options.LogStreamBytesMax, // a rule of the options
        LogStreamsBytesMax = options.LogStreamsBytesMax,
        ActionTimeoutDefault = options.ActionTimeout,
        ActionTimeoutMax = options.ActionTimeoutMax,
        Retention = options.Retention,
        // An action that is admitted on the strength of a remembered tree still finds half of the promise ahead of it.
        CompleteTreeMemory = new[] { options.Retention / 2, new ServicesOptions().CompleteTreeMemory }.Min(),
        UploadsMax = ServicesOptions.UploadsMaxOf(OpenFiles.Max()),
        OpenReadsMax = ServicesOptions.OpenReadsMaxOf(OpenFiles.Max()),
        // A port that is not known yet makes no link.
        WebAddress = http.Port == 0 ? null : new Uri($"http://{ReachableAs(http)}"),
    };

    private static AssetOptions AssetOptionsOf(ServerOptions options, ServerPaths paths) => new()
    {
        Directory = paths.Assets,
        Retention = options.Retention,
        Allowed = [.. options.FetchAllowed.Select(text => FetchAllowance.TryParse(text, out var allowed) ? allowed : null).OfType<FetchAllowance>()], // all do: a rule of the options
        Authorities = options.FetchAuthorities is { } file ? CertificateFile.Read(file) : [],
        DownloadBytesMax = options.FetchBytesMax,
        DownloadsBytesMax = Math.Min(options.FetchBytesMax, long.MaxValue / 4) * 4,
    };

    private static SchedulerOptions SchedulerOptionsOf(ServerOptions options) => new()
    {
        UnsatisfiableMax = options.UnsatisfiableMax,
        AbandonedGrace = options.AbandonedGrace,
        IgnoredProperties = new SchedulerOptions().IgnoredProperties.Concat(options.IgnoredProperties).ToHashSet(),
        // The local worker dies with this process, so what it held is queued again at once.
        WorkersThatCannotReturn = new HashSet<string> { LocalWorkerId },
    };

    // The same over restarts: its recovered leases are known to be dead.
    private const string LocalWorkerId = "local";

    internal static WorkerOptions WorkerOptionsOf(ServerOptions options, ServerPaths paths) => new()
    {
        WorkerId = LocalWorkerId,
        // No other can say that it lives here, or guess it.
        Home = $"process {Guid.NewGuid():N}",
        Pool = options.Pool,
        Slots = options.Slots,
        Prefetch = options.Slots,
        DataDirectory = paths.Worker,
        Properties = options.Properties,
        Sandbox = options.Sandbox,
        ActionMemoryBytesMax = options.ActionMemoryBytesMax,
        ActionScratchBytesMax = options.ActionScratchBytesMax,
        DrainMax = DrainTimes.WorkMaxOf(options.DrainMax),
    };

    // An address that is nobody's own (0.0.0.0) is where to listen, and not what a client is told; a machine has a name.
    private static HostPort ReachableAs(IPEndPoint address) =>
        new(address.Address.Equals(IPAddress.Any) || address.Address.Equals(IPAddress.IPv6Any) ? Dns.GetHostName() : address.Address.ToString(), address.Port);

    private static IPEndPoint FromHere(IPEndPoint address) =>
        address.Address.Equals(IPAddress.Any) ? new IPEndPoint(IPAddress.Loopback, address.Port)
        : address.Address.Equals(IPAddress.IPv6Any) ? new IPEndPoint(IPAddress.IPv6Loopback, address.Port)
        : address;

    private static void RefuseStrange(IReadOnlyList<InheritedSocket> inherited)
    {
        foreach (var socket in inherited)
        {
            bool isOurs = socket.Name is "grpc" or "http" && socket.Address is not null && inherited.Count(other => other.Name == socket.Name) == 1;
            if (!isOurs)
                throw new ServerRefusedException($"the service manager gave a socket '{socket.Name}'; a socket unit of this server says FileDescriptorName=grpc or http, and has one ListenStream= with an address");
        }
    }
}
