using Prometheus;
using RemoteExec.Storage;

namespace RemoteExec.Observability;

/// <summary>Action results asked for and stored.</summary>
internal sealed class ActionCacheMetrics : IActionCacheObserver
{
    private readonly Counter.Child _hit;
    private readonly Counter.Child _miss;
    private readonly Counter.Child _incomplete;
    private readonly Counter.Child _stored;

    public ActionCacheMetrics(Instruments instruments)
    {
        var requests = instruments.Counter("remoteexec_action_cache_requests_total", "Action results asked for and stored, by result.", "op", "result");
        _hit = requests.WithLabels("get", "hit");
        _miss = requests.WithLabels("get", "miss");
        _incomplete = requests.WithLabels("get", "incomplete");
        _stored = requests.WithLabels("update", "stored");
    }

    public long Hits => (long)_hit.Value;

    public long Misses => (long)_miss.Value;

    public void Hit() => _hit.Inc();

    public void Missed() => _miss.Inc();

    public void FoundIncomplete() => _incomplete.Inc();

    public void Stored() => _stored.Inc();
}
