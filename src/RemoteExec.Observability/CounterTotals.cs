using System.Collections.Concurrent;
using System.Diagnostics.Metrics;

namespace RemoteExec.Observability;

/// <summary>
/// Running totals of chosen counters, split by one label, for pages that show a number beside the metrics
/// that Prometheus scrapes. It listens to the same instruments, so nothing is counted twice.
/// </summary>
public sealed class CounterTotals : IDisposable
{
    private readonly ConcurrentDictionary<(string Instrument, string Label), long> _totals = new();
    private readonly MeterListener _listener = new();

    /// <param name="instruments">Counter name and the label to split it by.</param>
    public CounterTotals(IReadOnlyDictionary<string, string> instruments)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instruments.TryGetValue(instrument.Name, out string? label))
                listener.EnableMeasurementEvents(instrument, label);
        };
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, label) => Add(instrument.Name, value, tags, (string)label!));
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, label) => Add(instrument.Name, value, tags, (string)label!));
        _listener.Start();
    }

    public long Of(string instrument, string label) => _totals.GetValueOrDefault((instrument, label));

    public long Of(string instrument) => _totals.Where(t => t.Key.Instrument == instrument).Sum(t => t.Value);

    public void Dispose() => _listener.Dispose();

    private void Add(string instrument, long value, ReadOnlySpan<KeyValuePair<string, object?>> tags, string label)
    {
        string found = "";
        foreach (var tag in tags)
        {
            if (tag.Key == label)
                found = tag.Value as string ?? tag.Value?.ToString() ?? "";
        }

        _totals.AddOrUpdate((instrument, found), static (_, add) => add, static (_, old, add) => old + add, value);
    }
}
