using Google.Bytestream;
using Google.Protobuf;

namespace RemoteExec.Benchmarks;

/// <summary>ByteStream.Read of 1 GiB from page cache, against a bare handler that streams such a file.</summary>
internal sealed class ReadBenchmark : IBenchmark
{
    private const int Rounds = 5;

    public string Name => "read";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var blob = new BigBlob();
        var digest = blob.Next();
        using (var upload = new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{digest.Hash}/{digest.SizeBytes}", blob.Content))
            await caller.ReadAllAsync(Methods.Write, upload, _ => { }, cancellationToken);

        string file = Path.Combine(bench.NewFolder("stream"), "blob");
        await using (var copy = File.Create(file)) await copy.WriteAsync(blob.Content, cancellationToken);
        await using var bare = await BareKestrelProcess.StartAsync(bench, [], file, cancellationToken);
        using var bareCaller = new GrpcCaller(bare.Address);

        byte[] request = GrpcCaller.Frame(new ReadRequest { ResourceName = $"blobs/{digest.Hash}/{digest.SizeBytes}" });
        var (ours, floor, allocated) = (new List<double>(), new List<double>(), new List<double>());
        for (int round = 0; round < Rounds; round++)
        {
            floor.Add(await SpeedAsync(bareCaller, "stream", [], cancellationToken));
            double before = await server.AllocatedMebibytesAsync();
            ours.Add(await SpeedAsync(caller, Methods.Read, request, cancellationToken));
            allocated.Add(await server.AllocatedMebibytesAsync() - before);
        }

        await server.StopAsync();
        return
        [
            Measurement.Relative("read 1 GiB", Statistics.Median(ours), "GiB/s",
                "bare Kestrel", Statistics.Median(floor), Target.AtLeast(0.85)),
            Measurement.Absolute("read 1 GiB: allocated", Statistics.Median(allocated), "MiB", Target.AtMost(32)),
        ];
    }

    private static async Task<double> SpeedAsync(GrpcCaller caller, string method, byte[] request, CancellationToken cancellationToken)
    {
        long bytes = 0;
        long start = TimeProvider.System.GetTimestamp();
        await caller.ReadAllAsync(method, new ByteArrayContent(request), message => bytes += message.Length, cancellationToken);
        double seconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;

        // The server's messages have a few bytes of framing around the data.
        if (bytes is < BigBlob.Bytes or > BigBlob.Bytes + BigBlob.Bytes / 100) throw new InvalidDataException($"{bytes} bytes came");
        return BigBlob.Gibibytes / seconds;
    }
}
