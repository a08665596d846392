using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>What the index makes of a question of 10,000 digests, half of them present, in stores of any size.</summary>
internal sealed class FindMissingIndexBenchmark : IBenchmark
{
    private const int Digests = 10_000;
    private const int Rounds = 50;

    public string Name => "findmissingindex";

    public Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        var rows = new List<Measurement>();
        double? ofSmallest = null;
        foreach (int blobs in (int[])[10_000, 100_000, 1_000_000, 10_000_000])
        {
            cancellationToken.ThrowIfCancellationRequested();
            double nanoseconds = NanosecondsPerDigest(blobs);
            ofSmallest ??= nanoseconds;
            rows.Add(Measurement.Relative($"FindMissing: a digest, {blobs} in the index", nanoseconds, "ns", "10000 in the index", ofSmallest.Value, Target.AtMost(4)));
        }

        return Task.FromResult<IReadOnlyList<Measurement>>(rows);
    }

    private static double NanosecondsPerDigest(int blobs)
    {
        var now = TimeProvider.System.GetUtcNow();
        var index = FilledIndex.Of(blobs, now);
        var random = new Random(1);
        var times = new List<double>();
        var digests = new Digest[Digests];
        var missing = new List<Digest>(Digests);
        for (int round = 0; round < Rounds; round++)
        {
            // Other ones each time: those of the last question are still in the caches of the processor.
            for (int i = 0; i < Digests; i++) digests[i] = FilledIndex.DigestOf(random.Next(blobs) + (i % 2 * blobs));
            now += TimeSpan.FromSeconds(1);
            missing.Clear();
            long start = TimeProvider.System.GetTimestamp();
            for (int first = 0; first < Digests; first += BlobIndex.EntriesPerHold)
                index.TouchMany(digests, first, Math.Min(BlobIndex.EntriesPerHold, Digests - first), now, missing);
            times.Add(TimeProvider.System.GetElapsedTime(start).TotalNanoseconds / Digests);
            if (missing.Count != Digests / 2) throw new InvalidDataException($"{missing.Count} of {Digests} missing");
        }

        return Statistics.Median(times);
    }
}
