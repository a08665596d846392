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

    public bool HasFired { get; private set; }

    public void Arm()
    {
        if (waitMax == Timeout.InfiniteTimeSpan) return;
        lock (_gate)
        {
            _isArmed = true;
            if (_timer is null) _timer = time.CreateTimer(OnFired, null, waitMax, Timeout.InfiniteTimeSpan);
            else _timer.Change(waitMax, Timeout.InfiniteTimeSpan);
        }
    }

    public void Disarm()
    {
        if (_timer is null) return;
        lock (_gate)
        {
            _isArmed = false;
            _timer.Change(Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        }
    }

    public void Dispose()
    {
        Disarm();
        _timer?.Dispose();
    }

    private void OnFired(object? state)
    {
        // Inside the lock: after Disarm the stream may belong to another call, which must not be interrupted.
        lock (_gate)
        {
            if (!_isArmed) return;
            HasFired = true;
            try
            {
                interrupt();
            }
            catch (Exception)
            {
                // Kestrel throws the stream's own failure, of any type, when the client's reset comes at the same moment: the wait has
                // ended by itself then, and tells it. Out of a timer it would end the process.
            }
        }
    }
}
