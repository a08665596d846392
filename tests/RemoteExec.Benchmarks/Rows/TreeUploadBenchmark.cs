namespace RemoteExec.Benchmarks;

/// <summary>2,000 files of 14 KB, as a client uploads the inputs of a build: batches of what one message takes, in turn with an earlier commit.</summary>
internal sealed class TreeUploadBenchmark : IBenchmark
{
    private const int Files = 2000;
    private const int SizeBytes = 14_000;
    private const int FilesPerBatch = 250; // 3.5 MB: below the four that every client takes
    // Eight calls each, until the runtime has compiled anew what is used often: see FindMissingBlobsBenchmark.
    private const int WarmUp = 20;
    private const int Rounds = 5;

    public string Name => "treeup";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        await using var baseline = await bench.StartBaselineAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        using var baselineCaller = new GrpcCaller(baseline.GrpcAddress);
        var batches = new BlobBatches();
        var (ours, before) = (new List<double>(), new List<double>());
        for (int round = 0; round < WarmUp + Rounds; round++)
        {
            before.Add(await MillisecondsAsync(baselineCaller, batches, cancellationToken));
            ours.Add(await MillisecondsAsync(caller, batches, cancellationToken));
        }

        await server.StopAsync();
        await baseline.StopAsync();
        double median = Statistics.Median(ours.Skip(WarmUp));
        return
        [
            Measurement.Absolute("a tree's upload: 2,000 files of 14 KB", median, "ms", Target.AtMost(130)),
            Measurement.Relative("a tree's upload: 2,000 files of 14 KB", median, "ms", Baseline.Name, Statistics.Median(before.Skip(WarmUp)), Target.AtMost(0.5)),
        ];
    }

    private static async Task<double> MillisecondsAsync(GrpcCaller caller, BlobBatches batches, CancellationToken cancellationToken)
    {
        var frames = Enumerable.Range(0, Files / FilesPerBatch).Select(_ => batches.Next(FilesPerBatch, SizeBytes).Frame).ToList();
        long start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(frames.Select(frame => BlobBatches.UploadAsync(caller, frame, FilesPerBatch, cancellationToken)));
        return TimeProvider.System.GetElapsedTime(start).TotalMilliseconds;
    }
}
