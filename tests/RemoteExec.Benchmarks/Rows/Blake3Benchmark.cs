using System.Globalization;
using RemoteExec.Core;
using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>Our BLAKE3 on one core, against the reference program's user time on one thread.</summary>
internal sealed class Blake3Benchmark : IBenchmark
{
    private const int Rounds = 3;

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
        ];
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
