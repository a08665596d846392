using RemoteExec.Storage;

namespace RemoteExec.Benchmarks;

/// <summary>What one blob takes in the memory of a server that does nothing but have it.</summary>
internal sealed class IndexMemoryBenchmark : IBenchmark
{
    public string Name => "indexmemory";

    public Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        var rows = new List<Measurement>();
        foreach (int blobs in (int[])[1_000_000, 10_000_000])
        {
            cancellationToken.ThrowIfCancellationRequested();
            rows.Add(Measurement.Absolute($"index: memory for one of {blobs / 1_000_000} million blobs", BytesPerBlob(blobs), "B", Target.AtMost(64)));
        }

        return Task.FromResult<IReadOnlyList<Measurement>>(rows);
    }

    private static double BytesPerBlob(int blobs)
    {
        long before = GC.GetTotalMemory(forceFullCollection: true);
        var index = FilledIndex.Of(blobs, TimeProvider.System.GetUtcNow());
        long after = GC.GetTotalMemory(forceFullCollection: true);
        GC.KeepAlive(index);
        return (after - before) / (double)blobs;
    }
}
