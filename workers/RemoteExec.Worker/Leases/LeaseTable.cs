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

    public void Move(HeldLease lease, LeaseState state)
    {
        lock (_lock) lease.State = state;
    }

    public void Forget(HeldLease lease)
    {
        lock (_lock)
        {
            if (!_held.Remove(lease.Key)) return;
            lease.Dispose();
            if (_held.Count == 0) _empty.TrySetResult();
        }
    }

    public List<LeaseId> In(LeaseState state)
    {
        lock (_lock) return [.. _held.Values.Where(lease => lease.State == state).Select(lease => lease.Key.ToWire())];
    }

    public List<HeldLease> Snapshot()
    {
        lock (_lock) return [.. _held.Values];
    }

    /// <summary>Whatever is held still was given back: nothing runs, and no report is owed.</summary>
    public bool IsDone
    {
        get
        {
            lock (_lock) return _held.Values.All(lease => lease.State == LeaseState.Returned);
        }
    }

    /// <summary>Completes when nothing is held any more.</summary>
    public Task WhenEmpty()
    {
        lock (_lock) return _empty.Task;
    }

    private static TaskCompletionSource CompletedSource()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }
}
