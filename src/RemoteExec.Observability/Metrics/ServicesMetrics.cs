using Prometheus;
using RemoteExec.Protocol.V1;
using RemoteExec.Services;

namespace RemoteExec.Observability;

/// <summary>What travels, and what actions used.</summary>
internal sealed class ServicesMetrics : IServicesObserver
{
    private const string Received = "received";
    private const string Sent = "sent";
    private const string Plain = "identity";
    private const string Zstd = "zstd";

    private readonly Counter.Child _received;
    private readonly Counter.Child _receivedZstd;
    private readonly Counter.Child _sent;
    private readonly Counter.Child _sentZstd;
    private readonly Histogram _cpuSeconds;
    private readonly Histogram _peakMemoryBytes;
    private readonly Histogram.Child _inputBytes;
    private readonly Histogram.Child _fetchedBytes;
    private readonly Histogram.Child _outputBytes;

    public ServicesMetrics(Instruments instruments)
    {
        var transferred = instruments.Counter("remoteexec_cas_transfer_bytes_total", "Bytes of blobs on the wire, as they were encoded.", "direction", "encoding");
        _received = transferred.WithLabels(Received, Plain);
        _receivedZstd = transferred.WithLabels(Received, Zstd);
        _sent = transferred.WithLabels(Sent, Plain);
        _sentZstd = transferred.WithLabels(Sent, Zstd);
        _cpuSeconds = instruments.Histogram(
            "remoteexec_operation_cpu_seconds", "Processor time of one run.",
            // From a no-op to a link step that takes a core for half an hour.
            [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]);
        _peakMemoryBytes = instruments.Histogram(
            "remoteexec_operation_peak_memory_bytes", "Most memory that one run held.",
            [1 << 20, 16 << 20, 64 << 20, 256 << 20, 1L << 30, 2L << 30, 4L << 30, 8L << 30, 16L << 30, 64L << 30]);
        var io = instruments.Histogram(
            "remoteexec_operation_io_bytes", "Bytes of one run's inputs, of those that had to be fetched, of its outputs.",
            [0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000], "kind");
        _inputBytes = io.WithLabels("input");
        _fetchedBytes = io.WithLabels("fetched");
        _outputBytes = io.WithLabels("output");
    }

    public void BlobReceived(long bytes, bool isCompressed) => (isCompressed ? _receivedZstd : _received).Inc(bytes);

    public void BlobSent(long bytes, bool isCompressed) => (isCompressed ? _sentZstd : _sent).Inc(bytes);

    public void ActionUsed(Usage usage)
    {
        // What never came to run has no times, and says nothing about commands.
        if (usage.UserTime is { } user && usage.SystemTime is { } system)
        {
            _cpuSeconds.Observe((user + system).ToTimeSpan().TotalSeconds);
            _peakMemoryBytes.Observe(usage.MemoryPeakBytes);
        }

        _inputBytes.Observe(usage.InputBytes);
        _fetchedBytes.Observe(usage.FetchedBytes);
        _outputBytes.Observe(usage.OutputBytes);
    }
}
