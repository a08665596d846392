namespace RemoteExec.Assets;

/// <summary>
/// One fetch for all who ask the same. It goes on when they have gone, until the longest of their timeouts: who asks again finds it, or what
/// it brought (REAPI S1).
/// </summary>
internal sealed class RunningFetch(DateTimeOffset startedAt, TimeProvider time) : IDisposable
{
    private readonly CancellationTokenSource _limit = new(Timeout.InfiniteTimeSpan, time);
    private DateTimeOffset _until = startedAt;

    public DateTimeOffset StartedAt { get; } = startedAt;

    public CancellationToken Limit => _limit.Token;

    public Task<AssetAnswer> Answer { get; private set; } = null!; // set by Begin, before anybody else sees it

    public void Begin(Func<RunningFetch, Task<AssetAnswer>> fetchAsync) => Answer = fetchAsync(this);

    /// <summary>Called under the fetcher's lock.</summary>
    /// <param name="longest">However many ask again, none goes on for longer: an origin that sends a byte a minute would hold its turn for ever.</param>
    public void Extend(TimeSpan timeout, TimeSpan longest)
    {
        var now = time.GetUtcNow();
        var until = now + timeout;
        if (until > StartedAt + longest) until = StartedAt + longest;
        if (until <= _until) return;
        _until = until;
        _limit.CancelAfter(until > now ? until - now : TimeSpan.Zero);
    }

    public void Cancel() => _limit.Cancel();

    public void Dispose() => _limit.Dispose();
}
