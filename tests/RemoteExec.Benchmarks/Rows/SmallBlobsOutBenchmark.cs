namespace RemoteExec.Benchmarks;

/// <summary>BatchReadBlobs of 100 × 1 KiB from page cache, by one caller and by eight.</summary>
internal sealed class SmallBlobsOutBenchmark : IBenchmark
{
    private const int Blobs = 100;
    private const int SizeBytes = 1024;
    private const int Batches = 20;
    // Until the runtime has compiled anew what is used often: see FindMissingBlobsBenchmark.
    private const int WarmUp = 10_000;
    private const int Rounds = 1000;

    public string Name => "smallout";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var batches = new BlobBatches();
        var questions = new List<byte[]>();
        for (int i = 0; i < Batches; i++)
        {
            var (frame, digests) = batches.Next(Blobs, SizeBytes);
            await BlobBatches.UploadAsync(caller, frame, Blobs, cancellationToken);
            questions.Add(BlobBatches.Reading(digests));
        }

        await SpeedAsync(server.GrpcAddress, questions, 1, WarmUp, cancellationToken);
        double one = await SpeedAsync(server.GrpcAddress, questions, 1, Rounds, cancellationToken);
        double eight = await SpeedAsync(server.GrpcAddress, questions, 8, Rounds, cancellationToken);
        await server.StopAsync();
        return
        [
            Measurement.Absolute("small blobs out: one caller", one, "blobs/s", Target.AtLeast(130_000)),
            Measurement.Absolute("small blobs out: eight callers", eight, "blobs/s", Target.AtLeast(260_000)),
        ];
    }

    private static async Task<double> SpeedAsync(string address, List<byte[]> questions, int callers, int rounds, CancellationToken cancellationToken)
    {
        var all = Enumerable.Range(0, callers).Select(_ => new GrpcCaller(address)).ToList();
        long start = TimeProvider.System.GetTimestamp();
        await Task.WhenAll(all.Select(one => Task.Run(
            async () =>
            {
                for (int i = 0; i < rounds; i++)
                {
                    int bytes = 0;
                    await one.ReadAllAsync(Methods.BatchReadBlobs, new ByteArrayContent(questions[i % questions.Count]), message => bytes = message.Length, cancellationToken);
                    if (bytes < Blobs * SizeBytes) throw new InvalidDataException($"{bytes} bytes came");
                }
            },
            cancellationToken)));
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
        foreach (var one in all) one.Dispose();
        return callers * (double)rounds * Blobs / seconds;
    }
}
