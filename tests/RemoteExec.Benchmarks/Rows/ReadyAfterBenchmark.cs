namespace RemoteExec.Benchmarks;

/// <summary>A restart with a million small blobs: how soon the server serves again, and whether every byte is accounted for.</summary>
internal sealed class ReadyAfterBenchmark : IBenchmark
{
    private const int Batches = 100;
    private const int BlobsPerBatch = 10_000;
    private const int SizeBytes = 100;
    private const int Rounds = 3;

    public string Name => "readyafter";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        byte[] last = [];
        using (var caller = new GrpcCaller(server.GrpcAddress))
        {
            var batches = new BlobBatches();
            for (int i = 0; i < Batches; i++)
            {
                var (frame, digests) = batches.Next(BlobsPerBatch, SizeBytes);
                await BlobBatches.UploadAsync(caller, frame, BlobsPerBatch, cancellationToken);
                last = BlobBatches.Reading(digests);
            }
        }

        var (killed, stopped) = (new List<double>(), new List<double>());
        var before = await AccountAsync(server);
        for (int round = 0; round < Rounds; round++)
        {
            await server.KillAsync();
            killed.Add(await RestartAsync(server));
            await CheckAsync(server, before);
            await server.StopAsync();
            stopped.Add(await RestartAsync(server));
            await CheckAsync(server, before);
        }

        using (var caller = new GrpcCaller(server.GrpcAddress))
        {
            int bytes = 0;
            await caller.ReadAllAsync(Methods.BatchReadBlobs, new ByteArrayContent(last), message => bytes = message.Length, cancellationToken);
            if (bytes < BlobsPerBatch * SizeBytes) throw new InvalidDataException($"{bytes} bytes came after the restarts");
        }

        await server.StopAsync();
        return
        [
            Measurement.Absolute("restart with 10^6 blobs, to /readyz: stopped", Statistics.Median(stopped), "s", Target.AtMost(1)),
            Measurement.Absolute("restart with 10^6 blobs, to /readyz: killed", Statistics.Median(killed), "s", Target.AtMost(1)),
        ];
    }

    private static async Task<(double Blobs, double Bytes)> AccountAsync(EndToEnd.ServerProcess server) =>
        (await server.MetricAsync("remoteexec_cas_blobs"), await server.MetricAsync("remoteexec_cas_size_bytes"));

    private static async Task CheckAsync(EndToEnd.ServerProcess server, (double Blobs, double Bytes) before)
    {
        var now = await AccountAsync(server);
        if (now != before) throw new InvalidDataException($"{now.Blobs} blobs of {now.Bytes} bytes after the restart, {before.Blobs} of {before.Bytes} before");
    }

    private static async Task<double> RestartAsync(EndToEnd.ServerProcess server)
    {
        long start = TimeProvider.System.GetTimestamp();
        await server.RestartAsync();
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }
}
