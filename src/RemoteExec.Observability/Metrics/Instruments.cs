using System.Diagnostics;
using Prometheus;

namespace RemoteExec.Observability;

/// <summary>
/// Makes the instruments of one server on a registry of its own: several servers live in one process of tests, and none counts
/// for another. Instruments carry their final Prometheus name (<c>remoteexec_…</c>, base units, <c>_total</c> on counters), so
/// that what is read in code is what is scraped.
/// </summary>
internal sealed class Instruments
{
    private readonly Lock _reading = new();
    private readonly MetricFactory _factory;

    public Instruments()
    {
        _factory = Prometheus.Metrics.WithCustomRegistry(Registry);
        // A trace that nobody keeps leads nowhere.
        _factory.ExemplarBehavior = new ExemplarBehavior
        {
            DefaultExemplarProvider = static (_, _) => Activity.Current is { Recorded: true } ? Exemplar.FromTraceContext() : Exemplar.None,
        };
    }

    public CollectorRegistry Registry { get; } = Prometheus.Metrics.NewCustomRegistry();

    public Counter Counter(string name, string help, params string[] labels) => _factory.CreateCounter(name, help, labels);

    public Gauge Gauge(string name, string help, params string[] labels) => _factory.CreateGauge(name, help, labels);

    public Histogram Histogram(string name, string help, double[] bounds, params string[] labels) =>
        _factory.CreateHistogram(name, help, labels, new HistogramConfiguration { Buckets = bounds });

    /// <summary>
    /// Reads what is not told but looked up, once for each scrape and by one scrape at a time. A source that fails is told to the
    /// trace and keeps its last values: the page is for finding out why.
    /// </summary>
    public void BeforeScrape(Action read) => Registry.AddBeforeCollectCallback(() =>
    {
        lock (_reading) Core.Observers.Tell(read, 0, static (look, _) => look());
    });
}
