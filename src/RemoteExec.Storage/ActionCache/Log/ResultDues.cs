namespace RemoteExec.Storage;

/// <summary>
/// Each result once, in the order in which they may lose something by eviction; who asks for one puts it back with a time of his own, when he has looked.
/// Times are of the cache's clock, in ms. For one thread at a time.
/// </summary>
/// <param name="early">A new one may have blobs that count as used so much before it.</param>
internal sealed class ResultDues(TimeSpan early)
{
    // A heap that is mostly of results that are not there any more is made anew; a small one may be.
    private const int DeadMin = 1024;

    private readonly PriorityQueue<CachedResult, (long DueMs, long Turn)> _dues = new();
    private readonly long _earlyMs = (long)early.TotalMilliseconds;
    private long _turns;

    /// <summary>So many it holds, those that are not there any more among them.</summary>
    public int Count => _dues.Count;

    /// <param name="living">So many results there are.</param>
    public void Add(CachedResult result, int living)
    {
        PutBack(result, new DateTimeOffset(result.LastUse).ToUnixTimeMilliseconds() - _earlyMs);
        if (_dues.Count > (2 * living) + DeadMin) ForgetDead();
    }

    /// <summary>Behind all others of that time.</summary>
    public void PutBack(CachedResult result, long dueMs) => _dues.Enqueue(result, (dueMs, _turns++));

    /// <summary>The next one whose time is not after that; null when there is none.</summary>
    public CachedResult? Take(long upToMs)
    {
        while (_dues.TryPeek(out var result, out var due) && due.DueMs <= upToMs)
        {
            _dues.Dequeue();
            if (result.Place is not null) return result;
        }

        return null;
    }

    private void ForgetDead()
    {
        var living = _dues.UnorderedItems.Where(item => item.Element.Place is not null).ToArray();
        _dues.Clear();
        _dues.EnqueueRange(living);
    }
}
