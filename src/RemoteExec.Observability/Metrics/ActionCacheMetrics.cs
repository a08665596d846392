using Prometheus;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>Action results asked for and stored.</summary>
internal sealed class ActionCacheMetrics(Instruments instruments) : IActionCacheObserver
{
    private readonly Counter.Child _hit = Requests(instruments).WithLabels("get", "hit");
    private readonly Counter.Child _miss = Requests(instruments).WithLabels("get", "miss");
    private readonly Counter.Child _incomplete = Requests(instruments).WithLabels("get", "incomplete");
    private readonly Counter.Child _stored = Requests(instruments).WithLabels("update", "stored");

    public long Hits => (long)_hit.Value;

    public long Misses => (long)_miss.Value;

    public void Hit() => _hit.Inc();

    public void Missed() => _miss.Inc();

    public void FoundIncomplete() => _incomplete.Inc();

    public void Stored() => _stored.Inc();

    private static Counter Requests(Instruments instruments) =>
        instruments.Counter("remoteexec_action_cache_requests_total", "Action results asked for and stored, by result.", "op", "result");
}
