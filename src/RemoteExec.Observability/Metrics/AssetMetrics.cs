using Prometheus;
using RemoteExec.Assets;

namespace RemoteExec.Observability;

/// <summary>Remote Asset: what was asked for, and what origins gave.</summary>
internal sealed class AssetMetrics : IAssetObserver
{
    private readonly HeldChildren<(AssetKind Kind, string Result), Counter.Child> _requests;
    private readonly Histogram _seconds;
    private readonly Counter _bytes;
    private readonly Gauge _running;

    public AssetMetrics(Instruments instruments)
    {
        var requests = instruments.Counter("remoteexec_asset_requests_total", "Content that was asked for by its address.", "kind", "result");
        _requests = new(labels => requests.WithLabels(labels.Kind == AssetKind.Blob ? "blob" : "directory", labels.Result));
        _seconds = instruments.Histogram(
            "remoteexec_asset_fetch_seconds", "Time that one fetch from an origin took, in line and on the way.", [0.05, 0.2, 1, 5, 20, 60, 300, 1200, 3600]);
        _bytes = instruments.Counter("remoteexec_asset_downloaded_bytes_total", "Bytes of finished downloads over http and https.");
        _running = instruments.Gauge("remoteexec_asset_fetches", "Fetches under way or in line.");
    }

    public void Show(int running) => _running.Set(running);

    public void Known(AssetKind kind) => _requests[(kind, "known")].Inc();

    public void Fetched(AssetKind kind, bool isFound, TimeSpan duration)
    {
        _requests[(kind, isFound ? "fetched" : "failed")].Inc();
        _seconds.Observe(duration.TotalSeconds);
    }

    public void Downloaded(long bytes) => _bytes.Inc(bytes);
}
