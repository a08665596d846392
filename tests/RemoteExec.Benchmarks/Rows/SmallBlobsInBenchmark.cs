namespace RemoteExec.Benchmarks;

/// <summary>BatchUpdateBlobs of 100 × 1 KiB, durable when it is answered, from one caller and from eight, in turn with an earlier commit.</summary>
internal sealed class SmallBlobsInBenchmark : IBenchmark
{
    private const int Blobs = 100;
    private const int SizeBytes = 1024;
    // Until the runtime has compiled anew what is used often: see FindMissingBlobsBenchmark.
    private const int WarmUp = 5000;
    private const int BaselineWarmUp = 1000;
    private const int Rounds = 1000;
    private const int BaselineRounds = 100;

    public string Name => "smallin";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        await using var baseline = await bench.StartBaselineAsync();
        var batches = new BlobBatches();
        var measurements = new List<Measurement>();
        foreach (var (callers, words, target) in ((int, string, double)[])[(1, "one caller", 80_000), (8, "eight callers", 150_000)])
        {
            double before = await SpeedAsync(baseline.GrpcAddress, batches, callers, BaselineWarmUp, BaselineRounds, cancellationToken);
            double ours = await SpeedAsync(server.GrpcAddress, batches, callers, WarmUp, Rounds, cancellationToken);
            measurements.Add(Measurement.Absolute($"small blobs in: {words}", ours, "blobs/s", Target.AtLeast(target)));
            measurements.Add(Measurement.Relative($"small blobs in: {words}", ours, "blobs/s", Baseline.Name, before, Target.AtLeast(15)));
        }

        await server.StopAsync();
        await baseline.StopAsync();
        return measurements;
    }

    private static async Task<double> SpeedAsync(string address, BlobBatches batches, int callers, int warmUp, int rounds, CancellationToken cancellationToken)
    {
        using var warm = new GrpcCaller(address);
        for (int i = 0; i < warmUp; i++) await BlobBatches.UploadAsync(warm, batches.Next(Blobs, SizeBytes).Frame, Blobs, cancellationToken);

        var all = Enumerable.Range(0, callers).Select(_ => (
            Caller: new GrpcCaller(address),
            Frames: Enumerable.Range(0, rounds).Select(_ => batches.Next(Blobs, SizeBytes).Frame).ToList())).ToList();
        long start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(all.Select(one => Task.Run(
            async () =>
            {
                foreach (byte[] frame in one.Frames) await BlobBatches.UploadAsync(one.Caller, frame, Blobs, cancellationToken);
            },
            cancellationToken)));
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        foreach (var one in all) one.Caller.Dispose();
        return callers * rounds * Blobs / seconds;
    }
}
