using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>What a server has allocated so far, by its own metrics. The scrape itself is part of it, some hundred kilobytes.</summary>
internal static class AllocatedBytes
{
    public static async Task<double> AllocatedMebibytesAsync(this ServerProcess server) =>
        await server.MetricAsync("dotnet_gc_heap_total_allocated_bytes_total") / (1 << 20);
}
