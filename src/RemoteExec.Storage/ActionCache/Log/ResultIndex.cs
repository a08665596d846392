namespace RemoteExec.Storage;

/// <summary>Which results there are, in the order of their use, bounded in number and bytes. For one thread at a time.</summary>
internal sealed class ResultIndex(int entriesMax, long limitBytes)
{
    private readonly Dictionary<ResultName, LinkedListNode<CachedResult>> _results = [];
    private readonly LinkedList<CachedResult> _uses = new(); // first is the oldest

    public int Count => _results.Count;

    /// <summary>Told of each new result; null as long as nobody asks for them.</summary>
    public ResultDues? Dues { get; private set; }

    /// <summary>Of the records that hold the results.</summary>
    public long Bytes { get; private set; }

    /// <summary>Finds a result, which thereby becomes the one used last.</summary>
    public CachedResult? Use(in ResultName name)
    {
        if (!_results.TryGetValue(name, out var node)) return null;

        _uses.Remove(node);
        _uses.AddLast(node);
        return node.Value;
    }

    public void Set(in ResultName name, in RecordPlace place, DateTime lastUse)
    {
        var result = Use(name);
        bool isNew = false;
        if (result is null)
        {
            result = new CachedResult(name);
            _results[name] = _uses.AddLast(result);
            isNew = true;
        }

        Bytes += place.Bytes - (result.Place?.Bytes ?? 0);
        result.LastUse = lastUse;
        result.MoveTo(place);
        if (isNew) Dues?.Add(result, Count);
    }

    /// <inheritdoc cref="ResultDues"/>
    public ResultDues BeginDues(TimeSpan early)
    {
        Dues = new ResultDues(early);
        foreach (var result in _uses) Dues.Add(result, Count);
        return Dues;
    }

    public void Drop(CachedResult result)
    {
        if (result.Place is not { } place) return;

        _results.Remove(result.Name, out var node);
        _uses.Remove(node!); // what has a place is in both
        Bytes -= place.Bytes;
        result.Evict();
    }

    public void EvictSurplus()
    {
        while (Bytes > limitBytes || Count > entriesMax) Drop(_uses.First!.Value);
    }

    /// <summary>Compaction brings old results behind newer ones; after reading a log, the times of use decide.</summary>
    public void SortByUse()
    {
        var nodes = _uses.OrderBy(result => result.LastUse).Select(result => _results[result.Name]).ToArray();
        _uses.Clear();
        foreach (var node in nodes) _uses.AddLast(node);
    }
}
