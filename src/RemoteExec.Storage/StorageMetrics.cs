using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace RemoteExec.Storage;

/// <summary>Every number of this room. Label values come from closed sets: the constants here and the tiers that hosts name.</summary>
public static class StorageMetrics
{
    public const string MeterName = "RemoteExec.Storage";

    private static readonly Meter Meter = new(MeterName);
    private static readonly ConcurrentDictionary<Tracked, byte> Stores = new();

    static StorageMetrics()
    {
        Meter.CreateObservableGauge("remoteexec_cas_size_bytes", () => Observe(usage => usage.UsedBytes), description: "Bytes of stored blobs");
        Meter.CreateObservableGauge("remoteexec_cas_limit_bytes", () => Observe(usage => usage.LimitBytes), description: "What the store may hold");
        Meter.CreateObservableGauge("remoteexec_cas_blobs", () => Observe(usage => usage.Blobs), description: "Distinct blobs");
        Meter.CreateObservableGauge("remoteexec_cas_retention_seconds", Retentions, null, "How long the blob that was evicted last had not been used");
        Meter.CreateObservableGauge("remoteexec_cas_suspect", () => Observe(usage => usage.IsSuspect ? 1 : 0), description: "1 after the disk failed a flush");
    }

    /// <summary>Labels: op=read|write, result=hit|miss|stored|present|refused, tier.</summary>
    internal static Counter<long> Requests { get; } = Meter.CreateCounter<long>("remoteexec_cas_requests_total", null, "Reads and writes of blobs, by result");

    internal static Histogram<long> FindMissingBatch { get; } = Meter.CreateHistogram("remoteexec_cas_find_missing_batch_digests", null, "Digests asked about in one call", null,
        new InstrumentAdvice<long> { HistogramBucketBoundaries = [1, 10, 100, 1_000, 10_000, 100_000] });

    /// <summary>Labels: op=read|write, tier.</summary>
    internal static Histogram<long> BlobBytes { get; } = Meter.CreateHistogram("remoteexec_cas_blob_bytes", null, "Sizes of blobs that were opened or stored", null,
        new InstrumentAdvice<long> { HistogramBucketBoundaries = [100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000] });

    internal static Histogram<double> FlushSeconds { get; } = Meter.CreateHistogram("remoteexec_cas_fsync_seconds", null, "Time that one flush to disk took", null,
        // From a good SSD to a disk that is about to be replaced.
        new InstrumentAdvice<double> { HistogramBucketBoundaries = [0.0001, 0.0005, 0.001, 0.005, 0.02, 0.1, 0.5, 2, 10] });

    /// <summary>Label: tier.</summary>
    internal static Counter<long> EvictedBytes { get; } = Meter.CreateCounter<long>("remoteexec_cas_evicted_bytes_total", null, "Bytes removed to make room");

    /// <summary>Label: tier.</summary>
    internal static Counter<long> Corruption { get; } = Meter.CreateCounter<long>("remoteexec_cas_corruption_total", null, "Blobs that were not what their name says");

    /// <summary>Labels: op=get|update, result=hit|miss|incomplete|stored.</summary>
    internal static Counter<long> ActionCacheRequests { get; } = Meter.CreateCounter<long>("remoteexec_action_cache_requests_total", null, "Action results asked for and stored, by result");

    internal static KeyValuePair<string, object?> Op(string op) => new("op", op);

    internal static KeyValuePair<string, object?> Result(string result) => new("result", result);

    internal static KeyValuePair<string, object?> Tier(string tier) => new("tier", tier);

    /// <summary>Shows a store's usage until the result is disposed.</summary>
    internal static IDisposable Track(string tier, Func<BlobStoreUsage> usage)
    {
        var tracked = new Tracked(tier, usage);
        Stores.TryAdd(tracked, 0);
        return tracked;
    }

    private static IEnumerable<Measurement<long>> Observe(Func<BlobStoreUsage, long> value) =>
        Stores.Keys.Select(store => new Measurement<long>(value(store.Usage()), Tier(store.Name)));

    private static IEnumerable<Measurement<double>> Retentions() =>
        from store in Stores.Keys
        let retention = store.Usage().EvictedAge
        where retention is not null
        select new Measurement<double>(retention.Value.TotalSeconds, Tier(store.Name));

    private sealed class Tracked(string name, Func<BlobStoreUsage> usage) : IDisposable
    {
        public string Name => name;

        public Func<BlobStoreUsage> Usage => usage;

        public void Dispose() => Stores.TryRemove(this, out _);
    }
}
