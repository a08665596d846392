using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace RemoteExec.Observability;

/// <summary>
/// Every instrument that is collected, also those that have counted nothing yet, which a collection leaves out: a page
/// that announces them shows from the first scrape on what can be alerted upon.
/// </summary>
internal sealed class SilentInstruments : IDisposable
{
    private readonly ConcurrentDictionary<PrometheusFamily, string?> _helpOf = new();
    private readonly MeterListener _listener = new();

    public SilentInstruments()
    {
        // Without enabling any: this listens to their appearance, not to their measurements.
        _listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name.StartsWith(MetricsRegistry.OurMeters, StringComparison.Ordinal)
                || instrument.Meter.Name == MetricsRegistry.RuntimeMeter)
                _helpOf[PrometheusFamily.Of(instrument.Name, instrument.Unit, Type(instrument))] = instrument.Description;
        };
        _listener.Start();
    }

    public void AnnounceOn(PrometheusText page)
    {
        foreach (var (family, help) in _helpOf.OrderBy(pair => pair.Key.Name, StringComparer.Ordinal))
            page.Announce(family, help);
    }

    public void Dispose() => _listener.Dispose();

    private static string Type(Instrument instrument)
    {
        var kind = instrument.GetType().GetGenericTypeDefinition();
        return kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>) ? PrometheusFamily.Counter
            : kind == typeof(Histogram<>) ? PrometheusFamily.Histogram
            : PrometheusFamily.Gauge;
    }
}
