using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace RemoteExec.Observability;

/// <summary>Turns one collection into a page; <see cref="MetricsRegistry"/> takes it away.</summary>
internal sealed class PrometheusExporter : BaseExporter<Metric>
{
    private PrometheusText _page = new();

    public override ExportResult Export(in Batch<Metric> batch)
    {
        foreach (var metric in batch)
            _page.Append(metric);
        return ExportResult.Success;
    }

    public PrometheusText TakePage()
    {
        var page = _page;
        _page = new PrometheusText();
        return page;
    }
}
