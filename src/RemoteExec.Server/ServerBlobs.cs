using RemoteExec.Core;
using RemoteExec.Observability;
using RemoteExec.Rpc;
using RemoteExec.Storage;
using RemoteExec.Storage.S3;

namespace RemoteExec.Server;

/// <summary>Where blobs are: on this disk, there with a bucket behind, or on other servers.</summary>
/// <param name="Shared">All blobs that clients are told of.</param>
/// <param name="Local">Those on this disk, for the local worker: the same ones, or a cache of what it works with. Null where there is neither.</param>
/// <param name="IsElsewhere">Other servers have the shared ones.</param>
internal sealed record ServerBlobs(IBlobStore Shared, ILocalBlobStore? Local, bool IsElsewhere, Func<BlobStoreUsage> Usage)
{
    // One that is there connects within a round trip.
    private static readonly TimeSpan ConnectMax = TimeSpan.FromSeconds(2);

    // Large blobs travel in parts of some megabytes, which are tried again, and their last answer comes when all parts are put together.
    private static readonly TimeSpan BucketPieceMax = TimeSpan.FromSeconds(90);

    private static readonly BlobStoreUsage Nothing = new(0, 0, 0, 0, 0, OldestUse: null, 0, EvictedAge: null, IsSuspect: false);

    /// <summary>Where all of them are: what is gone from there is gone. Null where there is such a place behind it, or elsewhere.</summary>
    public DiskBlobStore? Whole { get; private init; }

    /// <summary>How long ago one was used last; null where the disk does not know that of all of them.</summary>
    public Func<Digest, TimeSpan?>? UnusedFor { get; private init; }

    public static async Task<ServerBlobs> OpenAsync(
        ServerOptions options, ServerPaths paths, RunningServer running, ServerMetrics metrics, TimeProvider time, CancellationToken cancellationToken)
    {
        var blobs = options.Storage.Count > 0
            ? await OnOthersAsync(options, paths, running, metrics, time, cancellationToken)
            : await OnDiskAsync(options, paths, running, metrics, time, cancellationToken);
        metrics.WatchBlobs(blobs.Usage);
        return blobs;
    }

    private static async Task<ServerBlobs> OnDiskAsync(
        ServerOptions options, ServerPaths paths, RunningServer running, ServerMetrics metrics, TimeProvider time, CancellationToken cancellationToken)
    {
        var disk = await OpenDiskAsync(options, options.Retention, paths, running, metrics, time, cancellationToken);
        if (options.S3Bucket is not { } bucket) return new ServerBlobs(disk, disk, IsElsewhere: false, () => disk.Usage) { UnusedFor = disk.UnusedFor, Whole = disk };

        string name = $"S3 bucket {bucket}";
        var far = new CircuitBlobStore(
            name,
            running.Own(new S3BlobStore(new S3BlobStoreOptions
            {
                Bucket = bucket,
                Endpoint = options.S3Endpoint is { } endpoint ? new Uri(endpoint) : null,
                Region = options.S3Region,
                Prefix = options.S3Prefix,
                UsesPathStyle = options.S3PathStyle,
                ObjectLifetime = options.S3ObjectLifetime > TimeSpan.Zero ? options.S3ObjectLifetime : null,
                Retention = options.Retention,
                Time = time,
            })),
            new CircuitOptions { PieceMax = BucketPieceMax, AwayChanged = reason => running.FarStoreChanged(name, reason), Time = time });
        var behind = running.Own(WriteBehind.Start(new WriteBehindOptions { Directory = paths.WriteBehind, WaitingMax = options.S3Queue, Time = time }, disk, far));
        var tiers = running.Own(new TieredBlobStore(disk, far, behind, time));
        metrics.WatchTiers(tiers, behind);
        // What is only in the bucket has been used by nobody for a while, and is there.
        return new ServerBlobs(tiers, tiers, IsElsewhere: false, () => disk.Usage) { UnusedFor = digest => disk.UnusedFor(digest) ?? options.Retention };
    }

    private static async Task<ServerBlobs> OnOthersAsync(
        ServerOptions options, ServerPaths paths, RunningServer running, ServerMetrics metrics, TimeProvider time, CancellationToken cancellationToken)
    {
        var nodes = new List<BlobNode>();
        var circuits = new List<CircuitBlobStore>();
        foreach (var address in options.Storage)
        {
            // Their circuits and their replicas do better than calls that are tried again.
            var channel = running.Own(RpcChannels.Create(new Uri($"http://{address}"), new RpcChannelOptions { AttemptsMax = 1, ConnectTimeout = ConnectMax }));
            string name = $"storage {address}";
            // Blobs are shared by all instances, so one name serves for all.
            var circuit = new CircuitBlobStore(
                name, new RemoteBlobStore(channel, InstanceName.Empty, new RemoteBlobStoreOptions { Time = time }),
                new CircuitOptions { AwayChanged = reason => running.FarStoreChanged(name, reason), Time = time });
            circuits.Add(circuit);
            nodes.Add(new BlobNode(address.ToString(), circuit));
        }

        var repairs = running.Own(new BlobRepairs(time));
        metrics.WatchNodes(repairs, () => circuits.Count(circuit => circuit.IsAway));
        var shared = new ShardedBlobStore(nodes, options.StorageMirrored ? (one, other) => new MirroredBlobStore(one, other, repairs) : null);

        // What actions here work with is kept here too, and promised to nobody.
        var cache = options.Plays(ServerRole.Worker) ? await OpenDiskAsync(options, TimeSpan.Zero, paths, running, metrics, time, cancellationToken) : null;
        // No UnusedFor: REAPI has no question about a blob that is no use of it, and to ask all servers about every chunk at a start would promise everything anew. So
        // lists of chunks count as used at the start, and one whose chunks are gone is found out by whoever wants it first.
        return new ServerBlobs(shared, cache, IsElsewhere: true, () => cache?.Usage ?? Nothing);
    }

    private static async Task<DiskBlobStore> OpenDiskAsync(
        ServerOptions options, TimeSpan retention, ServerPaths paths, RunningServer running, ServerMetrics metrics, TimeProvider time, CancellationToken cancellationToken)
    {
        var disk = running.Own(await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions
            {
                Directory = paths.Blobs,
                LimitBytes = DataDirectory.LimitBytes(options.MaxCasSize, paths.DataDirectory, paths.Blobs),
                Retention = retention,
                CompressesAtRest = options.CompressesAtRest,
                WriteFaultChanged = running.StoreFaultChanged,
                Observer = metrics.Blobs,
            },
            time, cancellationToken));
        running.Own(new Scrubber(disk, options.ScrubBytesPerSecond, time));
        return disk;
    }
}
