namespace RemoteExec.Services;

/// <summary>
/// What a page that grows holds of the budget of untaken answers. It waits only while it holds nothing: pages that hold a part and wait
/// for the rest would wait for each other.
/// </summary>
internal sealed class PageRoom(AnswerBudget unsent, string connection) : IDisposable
{
    // A page of ordinary directories takes one or two.
    private const int StepBytes = 256 << 10;

    private readonly List<IDisposable> _held = [];
    private long _grantedBytes = AnswerBudget.SmallBytesMax;

    /// <summary>False when the page has to leave as it is.</summary>
    public bool TryGrow(long bytes)
    {
        if (bytes <= _grantedBytes) return true;
        if (!unsent.TryTake(connection, Math.Max(StepBytes, bytes - _grantedBytes), out var held)) return false;

        Take(held, bytes);
        return true;
    }

    /// <summary>For the first directory of a page.</summary>
    /// <exception cref="Grpc.Core.RpcException">RESOURCE_EXHAUSTED with RetryInfo: too little became free in time.</exception>
    public async ValueTask GrowAsync(long bytes, CancellationToken cancellationToken)
    {
        if (bytes <= _grantedBytes) return;
        Take(await unsent.TakeAsync(connection, Math.Max(StepBytes, bytes - _grantedBytes), cancellationToken), bytes);
    }

    /// <summary>The page has left.</summary>
    public void Release()
    {
        _held.ForEach(held => held.Dispose());
        _held.Clear();
        _grantedBytes = AnswerBudget.SmallBytesMax;
    }

    public void Dispose() => Release();

    private void Take(IDisposable? held, long bytes)
    {
        if (held is not null) _held.Add(held);
        _grantedBytes += Math.Max(StepBytes, bytes - _grantedBytes);
    }
}
