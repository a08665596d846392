using System.Diagnostics.Metrics;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace RemoteExec.Observability;

/// <summary>
/// Collects every instrument of this process whose meter is ours or the runtime's, and renders it as
/// Prometheus text on demand. Instruments carry their final Prometheus name (<c>remoteexec_…</c>, base
/// units, <c>_total</c> on counters), so that what is read in code is what is scraped.
/// </summary>
public sealed class MetricsRegistry : IDisposable
{
    internal const string OurMeters = "RemoteExec.";
    internal const string RuntimeMeter = "System.Runtime";

    private readonly Lock _collecting = new();
    private readonly PrometheusExporter _exporter = new();
    private readonly SilentInstruments _silent = new();
    private readonly BaseExportingMetricReader _reader;
    private readonly MeterProvider _provider;

    public MetricsRegistry()
    {
        _reader = new BaseExportingMetricReader(_exporter);
        _provider = Sdk.CreateMeterProviderBuilder()
            .AddMeter(OurMeters + "*", RuntimeMeter)
            .AddReader(_reader)
            .Build();
    }

    /// <summary>One scrape in Prometheus text format 0.0.4. Scrapes are serialised: the reader is not re-entrant.</summary>
    public string Render()
    {
        lock (_collecting)
        {
            _reader.Collect();
            var page = _exporter.TakePage();
            _silent.AnnounceOn(page);
            return page.ToString();
        }
    }

    public void Dispose()
    {
        _silent.Dispose();
        _provider.Dispose();
        _reader.Dispose();
        _exporter.Dispose();
    }
}
