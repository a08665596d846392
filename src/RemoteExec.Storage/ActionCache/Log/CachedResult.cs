namespace RemoteExec.Storage;

/// <summary>What memory knows of one result.</summary>
internal sealed class CachedResult(ResultName name)
{
    public ResultName Name => name;

    /// <summary>Null once the result is evicted.</summary>
    public RecordPlace? Place { get; private set; }

    /// <summary>The use that the log knows of.</summary>
    public DateTime LastUse { get; set; }

    public void MoveTo(in RecordPlace place)
    {
        Place = place;
        place.Segment.Results.Enqueue(this);
    }

    public void Evict() => Place = null;

    public bool IsIn(CacheSegment segment) => Place?.Segment == segment;
}

/// <summary>Where a whole record is, head included.</summary>
internal readonly record struct RecordPlace(CacheSegment Segment, long Offset, int Bytes);

/// <summary>A result, and the record that it had when it was looked up: compaction moves it, and whoever stores it again replaces it.</summary>
internal readonly record struct ResultAt(CachedResult Result, RecordPlace Place);
