using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace RemoteExec.Observability;

/// <summary>
/// Every instrument of ours, also those that have counted nothing yet, which a collection leaves out: a page that
/// announces them shows from the first scrape on what can be alerted upon.
/// </summary>
internal sealed class SilentInstruments : IDisposable
{
    private readonly ConcurrentDictionary<string, Instrument> _byName = new();
    private readonly MeterListener _listener = new();

    public SilentInstruments()
    {
        // Without enabling any: this listens to their appearance, not to their measurements.
        _listener.InstrumentPublished = (instrument, _) =>
        {
            if (instrument.Meter.Name.StartsWith("RemoteExec.", StringComparison.Ordinal))
                _byName[instrument.Name] = instrument;
        };
        _listener.Start();
    }

    public void AnnounceOn(PrometheusText page)
    {
        foreach (var (name, instrument) in _byName.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            page.Announce(name, Type(instrument), instrument.Description);
    }

    public void Dispose() => _listener.Dispose();

    private static string Type(Instrument instrument)
    {
        var kind = instrument.GetType().GetGenericTypeDefinition();
        return kind == typeof(Counter<>) || kind == typeof(ObservableCounter<>) ? "counter"
            : kind == typeof(Histogram<>) ? "histogram"
            : "gauge";
    }
}
