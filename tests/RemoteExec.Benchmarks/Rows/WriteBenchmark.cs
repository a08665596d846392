using System.Security.Cryptography;
using Google.Bytestream;

namespace RemoteExec.Benchmarks;

/// <summary>ByteStream.Write of 1 GiB, verified and durable, against the slower of its two unavoidable parts.</summary>
internal sealed class WriteBenchmark : IBenchmark
{
    private const int Rounds = 3;

    public string Name => "write";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        using var caller = new GrpcCaller(server.GrpcAddress);
        var blob = new BigBlob();
        var (ours, hashing, copying, allocated) = (new List<double>(), new List<double>(), new List<double>(), new List<double>());
        for (int round = 0; round < Rounds; round++)
        {
            var digest = blob.Next();
            double before = await server.AllocatedMebibytesAsync();
            ours.Add(await TimeAsync(async () =>
            {
                using var upload = new UploadContent($"uploads/{Guid.NewGuid()}/blobs/{digest.Hash}/{digest.SizeBytes}", blob.Content);
                long committed = 0;
                await caller.ReadAllAsync(Methods.Write, upload,
                    message => committed = WriteResponse.Parser.ParseFrom(message.Span).CommittedSize, cancellationToken);
                if (committed != BigBlob.Bytes) throw new InvalidDataException($"{committed} bytes committed");
            }));
            allocated.Add(await server.AllocatedMebibytesAsync() - before);
            hashing.Add(await TimeAsync(() => Task.FromResult(SHA256.HashData(blob.Content.Span))));
            copying.Add(await TimeAsync(() => CopyAsync(Path.Combine(bench.NewFolder("copy"), "blob"), blob.Content, cancellationToken)));
        }

        await server.StopAsync();
        double hash = Speed(hashing), copy = Speed(copying);
        return
        [
            Measurement.Relative("write 1 GiB", Speed(ours), "GiB/s",
                hash < copy ? "SHA-256" : "copy + fsync", Math.Min(hash, copy), Target.AtLeast(0.6)),
            Measurement.Absolute("write 1 GiB: allocated", Statistics.Median(allocated), "MiB", Target.AtMost(32)),
        ];
    }

    private static async Task CopyAsync(string path, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        using (var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.Write))
        {
            await RandomAccess.WriteAsync(file, content, 0, cancellationToken);
            RandomAccess.FlushToDisk(file);
        }

        File.Delete(path);
    }

    private static async Task<double> TimeAsync(Func<Task> work)
    {
        long start = TimeProvider.System.GetTimestamp();
        await work();
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }

    private static double Speed(List<double> seconds) => BigBlob.Gibibytes / Statistics.Median(seconds);
}
