namespace RemoteExec.Worker;

/// <summary>
/// Waits between connection attempts: doubling with full jitter, so that a thousand workers do not meet a
/// restarted coordinator in one instant, and short at first, because clients give up after about three seconds.
/// </summary>
internal sealed class ReconnectBackoff(Random random)
{
    private static readonly TimeSpan First = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan Longest = TimeSpan.FromSeconds(5);

    private TimeSpan _limit = First;

    public TimeSpan Next()
    {
        var wait = First / 2 + random.NextDouble() * _limit;
        _limit = _limit * 2 < Longest ? _limit * 2 : Longest;
        return wait;
    }

    public void Reset() => _limit = First;
}
