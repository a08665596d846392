namespace RemoteExec.Rpc;

/// <summary>
/// Interrupts one wait at a time when it lasts too long. One timer per call, made at the first wait, because
/// most reads and writes never wait.
/// </summary>
internal sealed class StallTimer(TimeProvider time, TimeSpan waitMax, Action interrupt) : IDisposable
{
    private readonly Lock _gate = new();
    private ITimer? _timer;
    private bool _isArmed;
    private bool _isExpired;

    public bool HasFired { get; private set; }

    public void Arm()
    {
        lock (_gate)
        {
            _isArmed = true;
            if (_isExpired) interrupt();
            else if (waitMax == Timeout.InfiniteTimeSpan) return;
            else if (_timer is null) _timer = time.CreateTimer(OnFired, null, waitMax, Timeout.InfiniteTimeSpan);
            else _timer.Change(waitMax, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Interrupts the wait that is, or the next one: the call's time is over.</summary>
    public void Expire()
    {
        lock (_gate)
        {
            _isExpired = true;
            if (_isArmed) interrupt();
        }
    }

    public void Disarm()
    {
        lock (_gate)
        {
            _isArmed = false;
            _timer?.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        if (_timer is null) return;
        Disarm();
        _timer.Dispose();
    }

    private void OnFired(object? state)
    {
        // Inside the lock: after Disarm the stream may belong to another call, which must not be interrupted.
        lock (_gate)
        {
            if (!_isArmed) return;
            HasFired = true;
            interrupt();
        }
    }
}
