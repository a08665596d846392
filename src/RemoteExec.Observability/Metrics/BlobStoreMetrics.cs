using Prometheus;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>One tier of the blob store.</summary>
internal sealed class BlobStoreMetrics(Instruments instruments, string tier, ServerEvents? events) : IBlobStoreObserver
{
    // From a good SSD to a disk that is about to be replaced.
    internal static readonly double[] FlushSeconds = [0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10];

    private static readonly double[] BlobBytes = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000];

    private readonly Counter.Child _hit = Requests(instruments).WithLabels("read", "hit", tier);
    private readonly Counter.Child _miss = Requests(instruments).WithLabels("read", "miss", tier);
    private readonly Counter.Child _stored = Requests(instruments).WithLabels("write", "stored", tier);
    private readonly Counter.Child _present = Requests(instruments).WithLabels("write", "present", tier);
    private readonly Counter.Child _refused = Requests(instruments).WithLabels("write", "refused", tier);
    private readonly Histogram.Child _readBytes = Bytes(instruments).WithLabels("read", tier);
    private readonly Histogram.Child _writtenBytes = Bytes(instruments).WithLabels("write", tier);
    private readonly Histogram _batchDigests = instruments.Histogram(
        "remoteexec_cas_find_missing_batch_digests", "Digests asked about in one call.", [1, 10, 100, 1_000, 10_000, 100_000]);
    private readonly Histogram _flushSeconds = instruments.Histogram(
        "remoteexec_cas_fsync_seconds", "Time that one flush to disk took.", FlushSeconds);
    private readonly Counter.Child _evictedBytes = instruments.Counter(
        "remoteexec_cas_evicted_bytes_total", "Bytes removed to make room.", "tier").WithLabels(tier);
    private readonly Counter.Child _evictedWithResultsBytes = instruments.Counter(
        "remoteexec_cas_evicted_with_results_bytes_total", "Bytes removed because the results that they belonged to had lost something.", "tier").WithLabels(tier);
    private readonly Counter.Child _corruption = instruments.Counter(
        "remoteexec_cas_corruption_total", "Blobs that were not what their name says.", "tier").WithLabels(tier);
    private readonly Counter.Child _scrubbedBytes = instruments.Counter(
        "remoteexec_cas_scrubbed_bytes_total", "Bytes read again to find what the disk has altered.", "tier").WithLabels(tier);
    private readonly ShiftingGauge _size = new(instruments.Gauge("remoteexec_cas_size_bytes", "Bytes of stored blobs.", "tier"));
    private readonly ShiftingGauge _limit = new(instruments.Gauge("remoteexec_cas_limit_bytes", "What the store may hold.", "tier"));
    private readonly ShiftingGauge _promised = new(instruments.Gauge(
        "remoteexec_cas_promised_bytes", "Bytes that may not be evicted yet.", "tier"));
    private readonly ShiftingGauge _reserved = new(instruments.Gauge(
        "remoteexec_cas_reserved_bytes", "Room set aside for uploads under way.", "tier"));
    private readonly ShiftingGauge _free = new(instruments.Gauge(
        "remoteexec_cas_disk_free_bytes", "What is free on the disk of the blobs.", "tier"));
    private readonly ShiftingGauge _blobs = new(instruments.Gauge("remoteexec_cas_blobs", "Distinct blobs.", "tier"));
    private readonly ShiftingGauge _retention = new(instruments.Gauge(
        "remoteexec_cas_retention_seconds", "How long a blob is guaranteed to be kept from now on.", "promise", "tier"));
    private readonly ShiftingGauge _evictedAge = new(instruments.Gauge(
        "remoteexec_cas_evicted_age_seconds", "How long the blob that was evicted last had not been used.", "tier"));
    private readonly ShiftingGauge _suspect = new(instruments.Gauge("remoteexec_cas_suspect", "1 after the disk failed a flush.", "tier"));
    private readonly string[] _tier = [tier];

    public void Asked(int digests) => _batchDigests.Observe(digests);

    public void Opened(long? sizeBytes)
    {
        (sizeBytes is null ? _miss : _hit).Inc();
        if (sizeBytes is { } bytes) _readBytes.Observe(bytes);
    }

    public void Stored(long sizeBytes)
    {
        _stored.Inc();
        _writtenBytes.Observe(sizeBytes);
    }

    public void FoundPresent() => _present.Inc();

    public void Refused()
    {
        _refused.Inc();
        events?.StoreRefused();
    }

    public void Evicted(long bytes) => _evictedBytes.Inc(bytes);

    public void EvictedWithResults(long bytes) => _evictedWithResultsBytes.Inc(bytes);

    public void Corrupted() => _corruption.Inc();

    public void Scrubbed(long bytes) => _scrubbedBytes.Inc(bytes);

    public void Flushed(TimeSpan duration) => _flushSeconds.Observe(duration.TotalSeconds);

    public void Show(BlobStoreUsage usage)
    {
        _size.Show([(usage.UsedBytes, _tier)]);
        _limit.Show([(usage.LimitBytes, _tier)]);
        _promised.Show([(usage.PromisedBytes, _tier)]);
        _reserved.Show([(usage.ReservedBytes, _tier)]);
        _blobs.Show([(usage.Blobs, _tier)]);
        _suspect.Show([(usage.IsSuspect ? 1 : 0, _tier)]);
        _retention.Show([(usage.Retention.TotalSeconds, ["use", tier]), (usage.HitRetention.TotalSeconds, ["hit", tier])]);
        _evictedAge.Show(usage.EvictedAge is { } age ? [(age.TotalSeconds, _tier)] : []);
    }

    public void ShowFree(long bytes) => _free.Show([(bytes, _tier)]);

    private static Counter Requests(Instruments instruments) =>
        instruments.Counter("remoteexec_cas_requests_total", "Reads and writes of blobs, by result.", "op", "result", "tier");

    private static Histogram Bytes(Instruments instruments) =>
        instruments.Histogram("remoteexec_cas_blob_bytes", "Sizes of blobs that were opened or stored.", BlobBytes, "op", "tier");
}
