namespace RemoteExec.Benchmarks;

/// <summary>As many tiny blobs as one batch takes: what each costs beside its bytes.</summary>
internal sealed class TinyBlobsBenchmark : IBenchmark
{
    private const int Rounds = 3;

    public string Name => "tiny";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var batches = new BlobBatches();
        var measurements = new List<Measurement>();
        foreach (var (blobs, sizeBytes) in ((int, int)[])[(41_000, 100), (20_000, 10)])
        {
            var seconds = new List<double>();
            for (int round = 0; round < Rounds; round++)
            {
                byte[] frame = batches.Next(blobs, sizeBytes).Frame;
                long start = TimeProvider.System.GetTimestamp();
                await BlobBatches.UploadAsync(caller, frame, blobs, cancellationToken);
                seconds.Add(TimeProvider.System.GetElapsedTime(start).TotalSeconds);
            }

            measurements.Add(Measurement.Absolute($"{blobs} blobs of {sizeBytes} bytes in one batch", Statistics.Median(seconds), "s", Target.AtMost(1)));
        }

        await server.StopAsync();
        return measurements;
    }
}
