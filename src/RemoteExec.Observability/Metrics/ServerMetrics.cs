using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Prometheus;
using RemoteExec.Assets;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Services;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>
/// Every number of one server. The rooms tell it what they do, through an observer each; what they are it looks up when it is
/// scraped. Several scrapes at once share nothing but the instruments.
/// </summary>
public sealed class ServerMetrics : IDisposable
{
    private readonly Instruments _instruments = new();
    private readonly SchedulingMetrics _scheduling;
    private readonly QueueMetrics _queue;
    private readonly JournalMetrics _journal;
    private readonly BlobStoreMetrics _blobs;
    private readonly FarStoreMetrics _farStores;
    private readonly ActionCacheMetrics _actionCache;
    private readonly ServicesMetrics _services;
    private readonly AssetMetrics _assets;
    private readonly RuntimeMetrics _runtime;

    /// <param name="roles">The parts that this process plays.</param>
    /// <param name="events">Told of what one number would hide.</param>
    public ServerMetrics(ServerHealth health, string roles, ServerEvents? events = null)
    {
        var process = new ProcessMetrics(_instruments, roles);
        _instruments.BeforeScrape(() => process.Show(health));
        _scheduling = new SchedulingMetrics(_instruments);
        _queue = new QueueMetrics(_instruments);
        _journal = new JournalMetrics(_instruments);
        _blobs = new BlobStoreMetrics(_instruments, tier: "disk", events);
        _farStores = new FarStoreMetrics(_instruments);
        _actionCache = new ActionCacheMetrics(_instruments);
        _services = new ServicesMetrics(_instruments, events);
        _assets = new AssetMetrics(_instruments);
        Rpc = new RpcMetrics(_instruments);
        _runtime = new RuntimeMetrics(_instruments);
        _instruments.BeforeScrape(_runtime.Show);
    }

    public IRpcObserver Rpc { get; }

    public ISchedulingObserver Scheduling => _scheduling;

    public IJournalObserver Journal => _journal;

    public IBlobStoreObserver Blobs => _blobs;

    public IActionCacheObserver ActionCache => _actionCache;

    public IServicesObserver Services => _services;

    public IAssetObserver Assets => _assets;

    public ServerTotals Totals => new(_scheduling.Ended, _actionCache.Hits, _actionCache.Misses);

    /// <param name="snapshot">Called once for each scrape.</param>
    public void WatchQueue(Func<QueueSnapshot> snapshot) => _instruments.BeforeScrape(() => _queue.Show(snapshot()));

    public void WatchJournal(Func<long> lengthBytes) => _instruments.BeforeScrape(() => _journal.Show(lengthBytes()));

    public void WatchBlobs(Func<BlobStoreUsage> usage) => _instruments.BeforeScrape(() => _blobs.Show(usage()));

    /// <param name="freeBytes">Of the disk that holds the blobs.</param>
    public void WatchDisk(Func<long> freeBytes) => _instruments.BeforeScrape(() => _blobs.ShowFree(freeBytes()));

    /// <summary>A disk with a bucket behind it.</summary>
    public void WatchTiers(TieredBlobStore tiers, WriteBehind behind) => _instruments.BeforeScrape(() => _farStores.Show(tiers, behind));

    /// <summary>Several servers that keep blobs.</summary>
    /// <param name="away">How many of them cannot be reached.</param>
    public void WatchNodes(BlobRepairs repairs, Func<int> away) => _instruments.BeforeScrape(() => _farStores.Show(repairs, away()));

    public void WatchUploads(Func<int> unfinished) => _instruments.BeforeScrape(() => _services.ShowUploads(unfinished()));

    public void WatchAssets(Func<int> running) => _instruments.BeforeScrape(() => _assets.Show(running()));

    /// <summary>The page for Prometheus: its text format, and OpenMetrics with exemplars for who accepts that.</summary>
    public void MapTo(IEndpointRouteBuilder endpoints, string pattern) => endpoints
        .MapMetrics(settings => settings.Registry = _instruments.Registry, pattern)
        .WithMetadata(new HttpMethodMetadata([HttpMethods.Get]));

    public void Dispose() => _runtime.Dispose();

    /// <summary>One scrape, without a port.</summary>
    internal async Task<string> ScrapeAsync(ExpositionFormat format, CancellationToken cancellationToken)
    {
        using var page = new MemoryStream();
        await _instruments.Registry.CollectAndExportAsTextAsync(page, format, cancellationToken);
        return Encoding.UTF8.GetString(page.GetBuffer(), 0, (int)page.Length);
    }
}
