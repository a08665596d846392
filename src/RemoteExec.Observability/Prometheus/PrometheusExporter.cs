using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace RemoteExec.Observability;

/// <summary>Turns one collection into text; <see cref="MetricsRegistry"/> takes it away.</summary>
internal sealed class PrometheusExporter : BaseExporter<Metric>
{
    private string _text = "";

    public override ExportResult Export(in Batch<Metric> batch)
    {
        var page = new PrometheusText();
        foreach (var metric in batch)
            page.Append(metric);
        _text = page.ToString();
        return ExportResult.Success;
    }

    public string TakeText()
    {
        string text = _text;
        _text = "";
        return text;
    }
}
