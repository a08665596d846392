namespace RemoteExec.Observability;

/// <summary>
/// The name and the type under which an instrument is scraped. Ours carry their final name; the runtime's come as
/// "dotnet.gc.heap.total_allocated" with a unit beside.
/// </summary>
internal readonly record struct PrometheusFamily(string Name, string Type)
{
    public const string Counter = "counter";
    public const string Gauge = "gauge";
    public const string Histogram = "histogram";

    // The runtime publishes these two as counters although they go down; a rate over them would mean nothing.
    private static readonly string[] LevelsPublishedAsCounters = ["dotnet.thread_pool.thread.count", "dotnet.thread_pool.queue.length"];

    public static PrometheusFamily Of(string instrument, string? unit, string type)
    {
        if (!instrument.Contains('.')) return new PrometheusFamily(instrument, type);

        if (LevelsPublishedAsCounters.Contains(instrument)) type = Gauge;
        string name = instrument.Replace('.', '_').Replace('-', '_');
        string suffix = unit switch { "By" => "_bytes", "s" => "_seconds", _ => "" };
        if (!name.EndsWith(suffix, StringComparison.Ordinal)) name += suffix;
        return new PrometheusFamily(type == Counter ? name + "_total" : name, type);
    }
}
