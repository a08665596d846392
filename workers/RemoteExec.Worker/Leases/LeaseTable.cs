using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>The leases this worker holds. Outlives connections: that is what makes a reconnect harmless.</summary>
internal sealed class LeaseTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<LeaseKey, HeldLease> _held = [];
    private TaskCompletionSource _empty = CompletedSource();

    /// <summary>Null when this lease is held already: a coordinator that lost its memory may send it twice.</summary>
    public HeldLease? Add(LeaseKey key)
    {
        lock (_lock)
        {
            if (_held.ContainsKey(key)) return null;
            if (_held.Count == 0) _empty = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            var lease = new HeldLease(key);
            _held.Add(key, lease);
            return lease;
        }
    }

    public HeldLease? Find(LeaseKey key)
    {
        lock (_lock) return _held.GetValueOrDefault(key);
    }

    /// <summary>Keeps a report until it is acknowledged.</summary>
    public void SetReport(HeldLease lease, LeaseFinished report)
    {
        lock (_lock) lease.Report = report;
    }

    /// <summary>An acknowledgement: stale ones, and those for an attempt that still runs, change nothing.</summary>
    public void Acknowledge(LeaseKey key)
    {
        lock (_lock)
        {
            if (_held.TryGetValue(key, out var lease) && lease.Report is not null) RemoveLocked(lease);
        }
    }

    public void Remove(HeldLease lease)
    {
        lock (_lock) RemoveLocked(lease);
    }

    public List<LeaseId> Running()
    {
        lock (_lock) return [.. _held.Values.Where(lease => lease.Report is null).Select(lease => lease.Key.ToWire())];
    }

    public List<LeaseFinished> Unacknowledged()
    {
        lock (_lock) return [.. _held.Values.Select(lease => lease.Report).OfType<LeaseFinished>()];
    }

    /// <summary>Everything held, for Hello: running, or reported and not acknowledged yet.</summary>
    public List<LeaseId> All()
    {
        lock (_lock) return [.. _held.Keys.Select(key => key.ToWire())];
    }

    public List<HeldLease> Snapshot()
    {
        lock (_lock) return [.. _held.Values];
    }

    /// <summary>Completes when nothing is held any more.</summary>
    public Task WhenEmpty()
    {
        lock (_lock) return _empty.Task;
    }

    private void RemoveLocked(HeldLease lease)
    {
        if (!_held.Remove(lease.Key)) return;
        lease.Dispose();
        if (_held.Count == 0) _empty.TrySetResult();
    }

    private static TaskCompletionSource CompletedSource()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }
}
