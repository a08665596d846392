using System.Globalization;
using RemoteExec.Core;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>Our BLAKE3 on one core, against the reference program's user time on one thread.</summary>
internal sealed class Blake3Benchmark : IBenchmark
{
    private const int Rounds = 3;
    private const int SmallBlobs = 100_000;
    private const int SmallRounds = 9;

    public string Name => "blake3";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        var blob = new BigBlob();
        string folder = bench.NewFolder("blake3");
        string file = Path.Combine(folder, "blob");
        await using (var copy = File.Create(file)) await copy.WriteAsync(blob.Content, cancellationToken);

        var (ours, reference) = (new List<double>(), new List<double>());
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            long start = TimeProvider.System.GetTimestamp();
            var digest = Digest.Of(DigestFunction.Blake3, blob.Content.Span);
            ours.Add(TimeProvider.System.GetElapsedTime(start).TotalSeconds);
            reference.Add(await ReferenceSecondsAsync(folder, file, digest.Hash));
        }

        return
        [
            Measurement.Relative("BLAKE3 of 1 GiB", BigBlob.Gibibytes / Statistics.Median(ours), "GiB/s",
                "b3sum", BigBlob.Gibibytes / Statistics.Median(reference), Target.AtLeast(0.55)),
            Small(),
        ];
    }

    /// <summary>Blobs of 1 KiB, the usual size of an action or a command: the digest as every room makes it, here and in the earlier commit.</summary>
    private static Measurement Small()
    {
        var ours = SmallHashes.Of(typeof(Digest).Assembly);
        var before = SmallHashes.OfBaseline();
        byte[] data = new byte[1024];
        new Random(1024).NextBytes(data);

        var (oursRates, beforeRates) = (new List<double>(), new List<double>());
        // The first round is not counted: it is when both are compiled.
        for (int round = 0; round <= SmallRounds; round++)
        {
            double baselineRate = Rate(before, data);
            double rate = Rate(ours, data);
            if (round == 0) continue;
            beforeRates.Add(baselineRate);
            oursRates.Add(rate);
        }

        return Measurement.Relative("BLAKE3 of 1 KiB", Statistics.Median(oursRates), "blobs/ms", Baseline.Name, Statistics.Median(beforeRates), Target.AtLeast(1.5));
    }

    private static double Rate(SmallHash hash, byte[] data)
    {
        long start = TimeProvider.System.GetTimestamp();
        for (int i = 0; i < SmallBlobs; i++) hash(data);
        return SmallBlobs / TimeProvider.System.GetElapsedTime(start).TotalMilliseconds;
    }

    private static async Task<double> ReferenceSecondsAsync(string folder, string file, string expectedHash)
    {
        // User time, since the file comes through page faults that our copy in memory does not have.
        await using var process = ChildProcess.Start("bash",
            ["-c", "TIMEFORMAT=%U; time b3sum --num-threads 1 --no-names \"$0\"", file], folder, new Dictionary<string, string?>());
        if (await process.Exited != 0) throw new InvalidOperationException($"b3sum failed:\n{process.Output}");

        string[] lines = process.Output.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        if (!lines.Contains(expectedHash)) throw new InvalidDataException($"b3sum says {lines[0]}, we say {expectedHash}");
        return double.Parse(lines.Single(line => line != expectedHash), CultureInfo.InvariantCulture);
    }
}
