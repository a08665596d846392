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
    public void Extend(TimeSpan timeout)
    {
        var until = time.GetUtcNow() + timeout;
        if (until <= _until) return;
        _until = until;
        _limit.CancelAfter(timeout);
    }

    public void Cancel() => _limit.Cancel();

    public void Dispose() => _limit.Dispose();
}
