using RemoteExec.Core;
using RemoteExec.Files;
using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>
/// How long a restart takes until every blob is known again: the index, by a log of uses that is believed about segments that are still what they were, and by
/// one that is not; and a store whose blobs are all files.
/// </summary>
internal sealed class RestartBenchmark : IBenchmark
{
    // To make a million of them takes minutes.
    private const int Files = 200_000;

    private static readonly SegmentClaim Claim = new(1, FooterChecksum: 1, DeadBytes: 0, LivingBytes: 0);

    public string Name => "restart";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken) =>
    [
        Measurement.Absolute("restart: index of 1 million blobs", IndexSeconds(bench, 1_000_000, isBelieved: true), "s", Target.AtMost(1)),
        Measurement.Absolute("restart: index of 10 million blobs", IndexSeconds(bench, 10_000_000, isBelieved: true), "s", Target.AtMost(5)),
        Measurement.Absolute("restart: index of 10 million blobs, whose segments are read", IndexSeconds(bench, 10_000_000, isBelieved: false), "s", Target.AtMost(5)),
        Measurement.Absolute("restart: a store of 200,000 files", await StoreSecondsAsync(bench, cancellationToken), "s", Target.AtMost(0.5)),
    ];

    private static double IndexSeconds(Bench bench, int blobs, bool isBelieved)
    {
        string path = Path.Combine(bench.NewFolder("uses"), "uses");
        var (disk, time) = (new Disk(), new SteadyTime(TimeProvider.System));
        using (var log = UseLog.Open(path, new UseHistory(UseLogEnding.Unknown, IsOfThisBoot: false, Clock: null, EndBytes: 0), disk, time, _ => { }))
        {
            long recordBytes = SegmentFormat.RecordBytes(FilledIndex.DigestOf(0));
            if (isBelieved) log.Claims = () => [Claim with { LivingBytes = blobs * recordBytes }];
            log.Close(FilledIndex.Of(blobs, time.GetUtcNow()));
        }

        // Outside of the time: what a store has in the footers of its segments.
        var records = isBelieved ? [] : FilledIndex.Records(blobs);

        long start = TimeProvider.System.GetTimestamp();
        var index = new BlobIndex(long.MaxValue / 2, FilledIndex.Retention, FilledIndex.Granularity);
        var restart = index.Restart();
        var history = UseRecords.Read(path, disk, restart);
        restart.KeepPlaces(packedBytesMax: int.MaxValue, (_, _) => true);
        restart.Place(records, segment: 1, []);
        restart.Finish(history, FilledIndex.Retention, FilledIndex.Granularity, time.GetUtcNow());
        using var next = UseLog.Open(path, history, disk, time, _ => { });
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;

        var usage = index.Usage(isSuspect: false, time.GetUtcNow());
        return usage.UsedBytes == (long)blobs * FilledIndex.BlobBytes ? seconds : throw new InvalidDataException($"{usage.UsedBytes} bytes after the restart");
    }

    private static async Task<double> StoreSecondsAsync(Bench bench, CancellationToken cancellationToken)
    {
        var options = new DiskBlobStoreOptions { Directory = bench.NewFolder("store"), LimitBytes = long.MaxValue / 2 };
        await using (await DiskBlobStore.OpenAsync(options, TimeProvider.System, cancellationToken)) { }

        // As the store names them, and as an older one kept small blobs too.
        byte[] content = new byte[FilledIndex.BlobBytes];
        Parallel.For(0, Files, new ParallelOptions { CancellationToken = cancellationToken }, number =>
        {
            var digest = FilledIndex.DigestOf(number);
            File.WriteAllBytes(Path.Combine(options.Directory, "blobs", digest.Hash[..1], $"sha256-{digest.Hash}-{digest.SizeBytes}"), content);
        });
        // Once more in order, so that all uses are in the log.
        await using (await DiskBlobStore.OpenAsync(options, TimeProvider.System, cancellationToken)) { }

        long start = TimeProvider.System.GetTimestamp();
        await using var store = await DiskBlobStore.OpenAsync(options, TimeProvider.System, cancellationToken);
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        var usage = store.Usage;
        return (usage.Blobs, usage.UsedBytes) == (Files, (long)Files * content.Length)
            ? seconds : throw new InvalidDataException($"{usage.Blobs} blobs of {usage.UsedBytes} bytes after the restart");
    }
}
