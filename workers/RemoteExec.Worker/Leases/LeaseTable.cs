using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>The leases this worker holds. Outlives connections: that is what makes a reconnect harmless.</summary>
internal sealed class LeaseTable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<LeaseKey, HeldLease> _held = [];
    private TaskCompletionSource _done = CompletedSource();
    private bool _isDraining;

    /// <summary>Null when this lease is held already: a coordinator that lost its memory may send it twice.</summary>
    public HeldLease? Add(LeaseKey key)
    {
        lock (_lock)
        {
            if (_held.ContainsKey(key)) return null;
            var lease = new HeldLease(key);
            _held.Add(key, lease);
            if (_done.Task.IsCompleted) _done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return lease;
        }
    }

    public HeldLease? Find(LeaseKey key)
    {
        lock (_lock) return _held.GetValueOrDefault(key);
    }

    public void Move(HeldLease lease, LeaseState state)
    {
        lock (_lock)
        {
            lease.State = state;
            LookWhetherDone();
        }
    }

    /// <summary>The command is about to run. False when it must not: it was called back, or the worker drains and gives back what has not begun.</summary>
    public bool Start(HeldLease lease)
    {
        lock (_lock) return lease.HasStarted = lease.HasStarted || !(_isDraining || lease.IsRecalled);
    }

    /// <summary>From here on this does not start; null when it has, or is not here.</summary>
    public HeldLease? Recall(LeaseKey key)
    {
        lock (_lock)
        {
            if (_held.GetValueOrDefault(key) is not { State: LeaseState.Running, HasStarted: false } lease) return null;
            lease.IsRecalled = true;
            return lease;
        }
    }

    /// <summary>From here on nothing starts.</summary>
    /// <returns>What has not.</returns>
    public List<HeldLease> StartNoMore()
    {
        lock (_lock)
        {
            _isDraining = true;
            return [.. _held.Values.Where(lease => lease is { State: LeaseState.Running, HasStarted: false })];
        }
    }

    public void Forget(HeldLease lease)
    {
        lock (_lock)
        {
            if (!_held.Remove(lease.Key)) return;
            lease.Dispose();
            LookWhetherDone();
        }
    }

    public List<LeaseId> In(LeaseState state)
    {
        lock (_lock) return [.. _held.Values.Where(lease => lease.State == state).Select(lease => lease.Key.ToWire())];
    }

    /// <summary>Those that run, or are about to: what has begun of them, or what has not.</summary>
    public List<HeldLease> Running(bool hasStarted)
    {
        lock (_lock) return [.. _held.Values.Where(lease => lease.State == LeaseState.Running && lease.HasStarted == hasStarted)];
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

    public bool IsEmpty
    {
        get
        {
            lock (_lock) return _held.Count == 0;
        }
    }

    /// <summary>Completes when <see cref="IsDone"/>.</summary>
    public Task WhenDone()
    {
        lock (_lock) return _done.Task;
    }

    private void LookWhetherDone()
    {
        if (_held.Values.All(lease => lease.State == LeaseState.Returned)) _done.TrySetResult();
    }

    private static TaskCompletionSource CompletedSource()
    {
        var source = new TaskCompletionSource();
        source.SetResult();
        return source;
    }
}
