using Prometheus;
using RemoteExec.Protocol.V1;
using RemoteExec.Services;

namespace RemoteExec.Observability;

/// <summary>What travels, and what actions used.</summary>
internal sealed class ServicesMetrics(Instruments instruments, ServerEvents? events = null) : IServicesObserver
{
    private readonly Counter.Child _received = Transferred(instruments).WithLabels("received", "identity");
    private readonly Counter.Child _receivedZstd = Transferred(instruments).WithLabels("received", "zstd");
    private readonly Counter.Child _sent = Transferred(instruments).WithLabels("sent", "identity");
    private readonly Counter.Child _sentZstd = Transferred(instruments).WithLabels("sent", "zstd");
    private readonly Histogram.Child _inputBytes = Moved(instruments).WithLabels("input");
    private readonly Histogram.Child _fetchedBytes = Moved(instruments).WithLabels("fetched");
    private readonly Histogram.Child _outputBytes = Moved(instruments).WithLabels("output");
    private readonly Histogram _cpuSeconds = instruments.Histogram(
        "remoteexec_operation_cpu_seconds", "Processor time of one run.",
        // From a no-op to a link step that takes a core for half an hour.
        [0.005, 0.02, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800]);
    private readonly Histogram _peakMemoryBytes = instruments.Histogram(
        "remoteexec_operation_peak_memory_bytes", "Most memory that one run held.",
        [1 << 20, 16 << 20, 64 << 20, 256 << 20, 1L << 30, 2L << 30, 4L << 30, 8L << 30, 16L << 30, 64L << 30]);

    private readonly Counter.Child[] _rederivations = Rederivations(instruments);

    private readonly Gauge _uploads = instruments.Gauge("remoteexec_cas_uploads", "Uploads that have begun and are not finished.");

    public void ShowUploads(int count) => _uploads.Set(count);

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

    public void Rederived(RederivedInputs inputs)
    {
        _rederivations[(int)inputs.Outcome].Inc();
        events?.Rederived(inputs);
    }

    private static Counter.Child[] Rederivations(Instruments instruments)
    {
        var counter = instruments.Counter(
            "remoteexec_rederivations_total", "Requests whose inputs were lost and had been made here: what came of making them again.", "outcome");
        return [.. Enum.GetNames<RederivationOutcome>().Select(name => counter.WithLabels(name.ToLowerInvariant()))];
    }

    private static Counter Transferred(Instruments instruments) => instruments.Counter(
        "remoteexec_cas_transfer_bytes_total", "Bytes of blobs on the wire, as they were encoded.", "direction", "encoding");

    private static Histogram Moved(Instruments instruments) => instruments.Histogram(
        "remoteexec_operation_io_bytes", "Bytes of one run's inputs, of those that had to be fetched, of its outputs.",
        [0, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000, 10_000_000_000], "kind");
}
