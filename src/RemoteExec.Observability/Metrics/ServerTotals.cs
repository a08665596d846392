namespace RemoteExec.Observability;

/// <summary>What the web page shows of the counters since the start.</summary>
public sealed record ServerTotals(long Executions, long CacheHits, long CacheMisses);
