namespace RemoteExec.Testing;

/// <summary>A clock that stands still until a test moves it; timers fire on the thread that moves it.</summary>
internal sealed class ManualTime : TimeProvider
{
    private readonly Lock _gate = new();
    private readonly List<ManualTimer> _timers = [];
    // Later than any file that a test writes: what is old is old by this clock too.
    private DateTimeOffset _now = new(2030, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private TaskCompletionSource _armed = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate) return _now;
    }

    public override long GetTimestamp() => GetUtcNow().Ticks;

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new ManualTimer(this, () => callback(state));
        timer.Change(dueTime, period);
        return timer;
    }

    /// <summary>Moves on, stopping at each timer that falls due on the way.</summary>
    public void Advance(TimeSpan by)
    {
        DateTimeOffset end;
        lock (_gate) end = _now + by;
        while (true)
        {
            ManualTimer? next;
            lock (_gate)
            {
                next = _timers.Where(timer => timer.Due <= end).MinBy(timer => timer.Due);
                _now = next is null ? end : next.Due > _now ? next.Due!.Value : _now;
                next?.Rearm();
            }

            if (next is null) return;
            next.Fire();
        }
    }

    /// <summary>Completes when some timer is set to go off after exactly that time.</summary>
    public Task WaitForTimerAsync(TimeSpan after) => WaitForTimerAsync(after, after);

    /// <summary>Completes when so many are set to go off after exactly that time.</summary>
    public Task WaitForTimersAsync(int count, TimeSpan after) => WaitForTimersAsync(count, after, after);

    /// <summary>Completes when some timer is set to go off after that time, give or take: for waits with a random part.</summary>
    public Task WaitForTimerAsync(TimeSpan atLeast, TimeSpan atMost) => WaitForTimersAsync(1, atLeast, atMost);

    private async Task WaitForTimersAsync(int count, TimeSpan atLeast, TimeSpan atMost)
    {
        while (true)
        {
            Task armed;
            lock (_gate)
            {
                if (_timers.Count(timer => timer.Due >= _now + atLeast && timer.Due <= _now + atMost) >= count) return;
                armed = _armed.Task;
            }

            await armed.WaitAsync(TimeSpan.FromSeconds(60));
        }
    }

    private sealed class ManualTimer(ManualTime time, Action fire) : ITimer
    {
        private TimeSpan _period;

        /// <summary>Null while it is not set.</summary>
        public DateTimeOffset? Due { get; private set; }

        public void Rearm() => Due = _period > TimeSpan.Zero ? Due + _period : null;

        public void Fire() => fire();

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (time._gate)
            {
                _period = period;
                Due = dueTime == Timeout.InfiniteTimeSpan ? null : time._now + dueTime;
                if (!time._timers.Contains(this)) time._timers.Add(this);
                time._armed.SetResult();
                time._armed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return true;
        }

        public void Dispose()
        {
            lock (time._gate) time._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
