using Google.Bytestream;
using RemoteExec.Core;
using ZstdNet;

namespace RemoteExec.Benchmarks;

/// <summary>ByteStream.Read of 256 MiB compressed with zstd, against libzstd alone at the same level on the same bytes.</summary>
internal sealed class CompressedReadBenchmark : IBenchmark
{
    private const int BlobBytes = 256 << 20;
    private const int Rounds = 5;
    private const int Level = 1; // the server's

    public string Name => "compressed";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        byte[] blob = TextBlob.Make(BlobBytes);
        var digest = Digest.Of(DigestFunction.Sha256, blob);
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        using (var upload = new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{digest.Hash}/{digest.SizeBytes}", blob))
            await caller.ReadAllAsync(Methods.Write, upload, _ => { }, cancellationToken);

        byte[] request = GrpcCaller.Frame(new ReadRequest { ResourceName = $"compressed-blobs/zstd/{digest.Hash}/{digest.SizeBytes}" });
        var (ours, alone, shares) = (new List<double>(), new List<double>(), new List<double>());
        // The first round is not counted: it is when everything is compiled.
        for (int round = 0; round <= Rounds; round++)
        {
            long bytes = 0;
            long start = TimeProvider.System.GetTimestamp();
            using (var options = new CompressionOptions(Level))
            using (var stream = new CompressionStream(Stream.Null, options))
                await stream.WriteAsync(blob, cancellationToken);
            double aloneSeconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;

            start = TimeProvider.System.GetTimestamp();
            await caller.ReadAllAsync(Methods.Read, new ByteArrayContent(request), message => bytes += message.Length, cancellationToken);
            double ourSeconds = TimeProvider.System.GetElapsedTime(start).TotalSeconds;
            if (round == 0) continue;

            alone.Add(BlobBytes / 1e6 / aloneSeconds);
            ours.Add(BlobBytes / 1e6 / ourSeconds);
            shares.Add((double)bytes / BlobBytes);
        }

        await server.StopAsync();
        return
        [
            Measurement.Relative("compressed read", Statistics.Median(ours), "MB/s", "libzstd alone", Statistics.Median(alone), Target.AtLeast(0.8)),
            Measurement.Absolute("compressed read: bytes on the wire", Statistics.Median(shares) * 100, "%", Target.None),
        ];
    }
}
