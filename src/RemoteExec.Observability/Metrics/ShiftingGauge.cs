using Prometheus;

namespace RemoteExec.Observability;

/// <summary>A gauge whose series come and go: each scrape shows those of its own moment, and none that is over.</summary>
internal sealed class ShiftingGauge(Gauge gauge)
{
    private Dictionary<string, Gauge.Child> _shown = [];

    public void Show(IEnumerable<(double Value, string[] Labels)> samples)
    {
        var showing = new Dictionary<string, Gauge.Child>();
        foreach (var (value, labels) in samples)
        {
            string key = string.Join('\0', labels);
            var child = _shown.Remove(key, out var held) ? held : gauge.WithLabels(labels);
            child.Set(value);
            showing.Add(key, child);
        }

        foreach (var (_, over) in _shown) over.Remove();
        _shown = showing;
    }
}
