using System.Globalization;
using System.Text;
using OpenTelemetry;
using OpenTelemetry.Metrics;

namespace RemoteExec.Observability;

/// <summary>
/// Prometheus text exposition format 0.0.4: a HELP and a TYPE line for each metric, then its samples.
/// <code>
/// # HELP remoteexec_queue_operations Operations by state.
/// # TYPE remoteexec_queue_operations gauge
/// remoteexec_queue_operations{pool="default",state="queued"} 3
/// </code>
/// </summary>
internal sealed class PrometheusText
{
    private readonly StringBuilder _page = new();
    private readonly HashSet<string> _announced = [];

    public void Append(Metric metric)
    {
        var family = PrometheusFamily.Of(metric.Name, metric.Unit, metric.MetricType switch
        {
            MetricType.Histogram or MetricType.ExponentialHistogram => PrometheusFamily.Histogram,
            MetricType.LongSum or MetricType.DoubleSum => PrometheusFamily.Counter,
            _ => PrometheusFamily.Gauge,
        });
        Announce(family, metric.Description);
        foreach (ref readonly var point in metric.GetMetricPoints())
            AppendPoint(family.Name, metric.MetricType, point);
    }

    /// <summary>HELP and TYPE alone, for an instrument that has counted nothing yet; nothing when it is on the page already.</summary>
    public void Announce(PrometheusFamily family, string? help)
    {
        if (!_announced.Add(family.Name)) return;

        _page.Append("# HELP ").Append(family.Name).Append(' ').Append(EscapeHelp(help ?? "")).Append('\n')
            .Append("# TYPE ").Append(family.Name).Append(' ').Append(family.Type).Append('\n');
    }

    public override string ToString() => _page.ToString();

    private void AppendPoint(string name, MetricType type, in MetricPoint point)
    {
        string labels = Labels(point.Tags);
        switch (type)
        {
            case MetricType.LongSum or MetricType.LongSumNonMonotonic:
                Sample(name, labels, point.GetSumLong());
                break;
            case MetricType.DoubleSum or MetricType.DoubleSumNonMonotonic:
                Sample(name, labels, point.GetSumDouble());
                break;
            case MetricType.LongGauge:
                Sample(name, labels, point.GetGaugeLastValueLong());
                break;
            case MetricType.DoubleGauge:
                Sample(name, labels, point.GetGaugeLastValueDouble());
                break;
            case MetricType.Histogram:
                AppendHistogram(name, labels, point);
                break;
        }
    }

    private void AppendHistogram(string name, string labels, in MetricPoint point)
    {
        // Prometheus buckets are cumulative; the collected ones are not.
        long count = 0;
        foreach (var bucket in point.GetHistogramBuckets())
        {
            count += bucket.BucketCount;
            string bound = double.IsPositiveInfinity(bucket.ExplicitBound) ? "+Inf" : Number(bucket.ExplicitBound);
            Sample(name + "_bucket", Join(labels, $"le=\"{bound}\""), count);
        }

        Sample(name + "_sum", labels, point.GetHistogramSum());
        Sample(name + "_count", labels, point.GetHistogramCount());
    }

    private void Sample(string name, string labels, double value)
    {
        _page.Append(name);
        if (labels.Length > 0)
            _page.Append('{').Append(labels).Append('}');
        _page.Append(' ').Append(Number(value)).Append('\n');
    }

    private static string Number(double value) =>
        double.IsPositiveInfinity(value) ? "+Inf"
        : double.IsNegativeInfinity(value) ? "-Inf"
        : value.ToString("R", CultureInfo.InvariantCulture);

    private static string Labels(ReadOnlyTagCollection tags)
    {
        string labels = "";
        foreach (var (key, value) in tags)
        {
            string text = Convert.ToString(value, CultureInfo.InvariantCulture) ?? "";
            labels = Join(labels, $"{key.Replace('.', '_')}=\"{EscapeLabel(text)}\"");
        }

        return labels;
    }

    private static string Join(string labels, string next) => labels.Length == 0 ? next : labels + "," + next;

    private static string EscapeLabel(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);

    private static string EscapeHelp(string text) =>
        text.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\n", "\\n", StringComparison.Ordinal);
}
