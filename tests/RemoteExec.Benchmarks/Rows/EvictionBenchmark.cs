using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>What it costs the index to find whom to evict while nine of ten blobs are promised: as much in a large store as in a small one.</summary>
internal sealed class EvictionBenchmark : IBenchmark
{
    private const int Small = 100_000;
    private const int Large = 10_000_000;
    private const int Rounds = 5;
    private const int Evictions = Small / 10 / Rounds;

    public string Name => "eviction";

    public Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        Run(Small); // everything is compiled
        double ofSmall = Run(Small), ofLarge = Run(Large);
        return Task.FromResult<IReadOnlyList<Measurement>>(
        [
            Measurement.Absolute($"eviction: one of {Large} blobs, 90 % promised", ofLarge, "ns", Target.AtMost(5000)),
            Measurement.Relative($"eviction: one of {Large} blobs, 90 % promised", ofLarge, "ns", $"{Small} blobs", ofSmall, Target.AtMost(4)),
        ]);
    }

    private static double Run(int blobs)
    {
        var begin = TimeProvider.System.GetUtcNow();
        var index = FilledIndex.Of(blobs, begin);
        // A use counts from the next full second.
        var now = begin + FilledIndex.Retention + TimeSpan.FromSeconds(1);
        // Nine of ten are used again, each beside one that is not.
        var asked = new List<RemoteExec.Core.Digest>(BlobIndex.EntriesPerHold);
        for (int i = 0; i < blobs; i++)
        {
            if (i % 10 != 0) asked.Add(FilledIndex.DigestOf(i));
            if (asked.Count < BlobIndex.EntriesPerHold && i < blobs - 1) continue;
            index.TouchMany(asked, 0, asked.Count, now, []);
            asked.Clear();
        }

        var times = new List<double>();
        for (int round = 0; round < Rounds; round++)
        {
            int evicted = 0;
            long start = TimeProvider.System.GetTimestamp();
            for (int i = 0; i < Evictions; i++) index.Reserve(FilledIndex.BlobBytes, now, _ => evicted++);
            times.Add(TimeProvider.System.GetElapsedTime(start).TotalNanoseconds / Evictions);
            if (evicted != Evictions) throw new InvalidDataException($"{evicted} evicted, expected {Evictions}");
        }

        return Statistics.Median(times);
    }
}
