using System.Diagnostics.Metrics;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Services;

/// <summary>Every number of this room: what travels, and what actions used. Label values come from the constants here.</summary>
internal static class ServicesMetrics
{
    private static readonly Meter Meter = new("RemoteExec.Services");

    private static readonly KeyValuePair<string, object?> Received = new("direction", "received");
    private static readonly KeyValuePair<string, object?> Sent = new("direction", "sent");
    private static readonly KeyValuePair<string, object?> Identity = new("encoding", "identity");
    private static readonly KeyValuePair<string, object?> Zstd = new("encoding", "zstd");

    private static readonly Counter<long> Transferred = Meter.CreateCounter<long>(
        "remoteexec_cas_transfer_bytes_total", null, "Bytes of blobs on the wire, as they were encoded.");

    // From a no-op to a link step that takes a core for half an hour.
    private static readonly Histogram<double> CpuSeconds = Meter.CreateHistogram("remoteexec_operation_cpu_seconds", null, "Processor time of one run.", null,
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800] });

    private static readonly Histogram<long> PeakMemoryBytes = Meter.CreateHistogram("remoteexec_operation_peak_memory_bytes", null, "Most memory that one run held.", null,
        new InstrumentAdvice<long> { HistogramBucketBoundaries = [1 << 20, 16 << 20, 64 << 20, 256 << 20, 1L << 30, 2L << 30, 4L << 30, 8L << 30, 16L << 30, 64L << 30] });

    private static readonly Histogram<long> IoBytes = Meter.CreateHistogram("remoteexec_operation_io_bytes", null, "Bytes of one run's inputs, of those that had to be fetched, of its outputs.", null,
        new InstrumentAdvice<long> { HistogramBucketBoundaries = [0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000] });

    public static void BlobReceived(long bytes, bool isCompressed) => Transferred.Add(bytes, Received, isCompressed ? Zstd : Identity);

    public static void BlobSent(long bytes, bool isCompressed) => Transferred.Add(bytes, Sent, isCompressed ? Zstd : Identity);

    public static void Used(Usage usage)
    {
        // What never came to run has no times, and says nothing about commands.
        if (usage.UserTime is { } user && usage.SystemTime is { } system)
        {
            CpuSeconds.Record((user + system).ToTimeSpan().TotalSeconds);
            PeakMemoryBytes.Record(usage.MemoryPeakBytes);
        }

        IoBytes.Record(usage.InputBytes, new KeyValuePair<string, object?>("kind", "input"));
        IoBytes.Record(usage.FetchedBytes, new KeyValuePair<string, object?>("kind", "fetched"));
        IoBytes.Record(usage.OutputBytes, new KeyValuePair<string, object?>("kind", "output"));
    }
}
