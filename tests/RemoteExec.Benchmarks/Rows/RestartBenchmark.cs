using RemoteExec.Core;
using RemoteExec.Files;
using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>How long a restart takes until every blob is known again: the index with its log of uses, and a store whose blobs are all files.</summary>
internal sealed class RestartBenchmark : IBenchmark
{
    private const int Files = 1_000_000;

    public string Name => "restart";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken) =>
    [
        Measurement.Absolute("restart: index of 1 million blobs", IndexSeconds(bench, 1_000_000), "s", Target.AtMost(1)),
        Measurement.Absolute("restart: index of 10 million blobs", IndexSeconds(bench, 10_000_000), "s", Target.AtMost(5)),
        Measurement.Absolute("restart: a store of 1 million files", await StoreSecondsAsync(bench, cancellationToken), "s", Target.AtMost(1)),
    ];

    private static double IndexSeconds(Bench bench, int blobs)
    {
        string path = Path.Combine(bench.NewFolder("uses"), "uses");
        var (disk, time) = (new Disk(), new SteadyTime(TimeProvider.System));
        using (var log = UseLog.Open(path, new UseHistory(UseLogEnding.Unknown, IsOfThisBoot: false, Clock: null, EndBytes: 0), disk, time, _ => { }))
            log.Close(FilledIndex.Of(blobs, time.GetUtcNow()));

        long start = TimeProvider.System.GetTimestamp();
        var index = new BlobIndex(long.MaxValue / 2, FilledIndex.Retention, FilledIndex.Granularity);
        var restart = index.Restart();
        var history = UseRecords.Read(path, disk, restart);
        foreach (var piece in FilledIndex.Blobs(0, blobs)) restart.Put(piece);
        restart.Finish(history, FilledIndex.Retention, FilledIndex.Granularity, time.GetUtcNow());
        using var next = UseLog.Open(path, history, disk, time, _ => { });
        if (!next.TryRewrite(index)) throw new IOException("no room for a log of uses");
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
