namespace RemoteExec.Worker;

/// <summary>
/// Waits between attempts: doubling with full jitter, so that a thousand workers do not meet a
/// restarted coordinator in one instant, and short at first, because clients give up after about three seconds.
/// </summary>
internal sealed class ReconnectBackoff(Random random)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);

    private TimeSpan _limit = First;

    /// <summary>Never longer than <paramref name="longest"/>: the coordinator waits for us a little longer than that.</summary>
    public TimeSpan Next(TimeSpan longest)
    {
        var wait = First / 2 + random.NextDouble() * _limit;
        _limit = _limit * 2 < longest ? _limit * 2 : longest;
        return wait < longest ? wait : longest;
    }

    public void Reset() => _limit = First;
}
