namespace RemoteExec.Rpc;

/// <summary>
/// Interrupts one wait at a time when it lasts too long. One timer per call, made at the first wait, because
/// most reads and writes never wait.
/// </summary>
internal sealed class StallTimer(TimeProvider time, TimeSpan waitMax, Action interrupt) : IDisposable
{
    // Hundreds of bytes a second, for two minutes. Pings and acknowledgements of another call's upload are less.
    private const long ProgressBytesMin = 16 << 10;

    // What grows is the whole connection's: another call's bytes keep a stalled one for so many times, and no longer.
    private const int RenewalsMax = 10;

    private readonly Lock _gate = new();
    private ITimer? _timer;
    private bool _isArmed;
    private long _takenBefore;
    private int _renewals;

    /// <summary>From the next wait on.</summary>
    public TimeSpan WaitMax { get; set; } = waitMax;

    public bool HasFired { get; private set; }

    /// <summary>A wait goes on while this grows: its client is slow, and takes something.</summary>
    public TakenBytes? Taken { get; set; }

    public void Arm()
    {
        if (WaitMax == Timeout.InfiniteTimeSpan) return;
        lock (_gate)
        {
            _isArmed = true;
            (_takenBefore, _renewals) = (Taken?.Count ?? 0, 0);
            if (_timer is null) _timer = time.CreateTimer(OnFired, null, WaitMax, Timeout.InfiniteTimeSpan);
            else _timer.Change(WaitMax, Timeout.InfiniteTimeSpan);
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

    private bool MayGoOn()
    {
        if (Taken is null || _renewals == RenewalsMax || Taken.Count - _takenBefore < ProgressBytesMin) return false;

        _takenBefore = Taken.Count;
        _renewals++;
        return true;
    }

    private void OnFired(object? state)
    {
        // Inside the lock: after Disarm the stream may belong to another call, which must not be interrupted.
        lock (_gate)
        {
            if (!_isArmed) return;
            if (MayGoOn())
            {
                _timer!.Change(WaitMax, Timeout.InfiniteTimeSpan); // it has fired
                return;
            }

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
