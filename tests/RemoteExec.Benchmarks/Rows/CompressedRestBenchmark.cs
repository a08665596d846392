using Google.Bytestream;
using RemoteExec.Core;

namespace RemoteExec.Benchmarks;

/// <summary>A store that compresses (--compress-at-rest): its frames sent as they are, against the same blob sent plain by one that does not; and the room that they take.</summary>
internal sealed class CompressedRestBenchmark : IBenchmark
{
    private const int BlobBytes = 256 << 20;
    private const int Rounds = 5;

    public string Name => "compressedrest";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        byte[] blob = TextBlob.Make(BlobBytes);
        var digest = Digest.Of(DigestFunction.Sha256, blob);
        double plain, frame, share;
        await using (var server = await bench.StartServerAsync())
        {
            using var caller = new GrpcCaller(server.GrpcAddress);
            await UploadAsync(caller, digest, blob, cancellationToken);
            plain = await RateAsync(caller, $"blobs/{digest.Hash}/{digest.SizeBytes}", cancellationToken);
            await server.StopAsync();
        }

        await using (var server = await bench.StartServerAsync("--compress-at-rest"))
        {
            using var caller = new GrpcCaller(server.GrpcAddress);
            await UploadAsync(caller, digest, blob, cancellationToken);
            share = await server.MetricAsync("remoteexec_cas_size_bytes") / BlobBytes;
            frame = await RateAsync(caller, $"compressed-blobs/zstd/{digest.Hash}/{digest.SizeBytes}", cancellationToken);
            await server.StopAsync();
        }

        return
        [
            Measurement.Relative("compressed read of a stored frame", frame, "MB/s of the blob", "plain read", plain, Target.AtLeast(1)),
            Measurement.Absolute("compressed at rest: room", share * 100, "%", Target.None),
        ];
    }

    private static async Task UploadAsync(GrpcCaller caller, Digest digest, byte[] blob, CancellationToken cancellationToken)
    {
        using var upload = new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{digest.Hash}/{digest.SizeBytes}", blob);
        await caller.ReadAllAsync(Methods.Write, upload, _ => { }, cancellationToken);
    }

    private static async Task<double> RateAsync(GrpcCaller caller, string name, CancellationToken cancellationToken)
    {
        byte[] request = GrpcCaller.Frame(new ReadRequest { ResourceName = name });
        var rates = new List<double>();
        // The first round is not counted: it is when everything is compiled.
        for (int round = 0; round <= Rounds; round++)
        {
            long start = TimeProvider.System.GetTimestamp();
            await caller.ReadAllAsync(Methods.Read, new ByteArrayContent(request), _ => { }, cancellationToken);
            if (round > 0) rates.Add(BlobBytes / 1e6 / TimeProvider.System.GetElapsedTime(start).TotalSeconds);
        }

        return Statistics.Median(rates);
    }
}
