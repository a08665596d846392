namespace RemoteExec.Storage;

/// <summary>One file of the log. Appending is for one thread at a time, reading for any.</summary>
internal sealed class CacheSegment(FramedLog log)
{
    public FramedLog Log => log;

    /// <summary>What was ever put here, in this order; most of it may be elsewhere or evicted by now.</summary>
    public Queue<CachedResult> Results { get; } = new();

    public RecordPlace Append(Span<byte> record) => new(this, log.Append(record), record.Length);

    /// <summary>Tells every intact record; what the disk cannot give back holds none.</summary>
    /// <returns>Behind the last one.</returns>
    public long ReadAll(Action<RecordHead, RecordPlace> found)
    {
        var frames = log.ReadAll();
        try
        {
            while (frames.TryNext(out long offset, out var record))
            {
                if (RecordFormat.TryReadHead(record, out var head)) found(head, new RecordPlace(this, offset, record.Length));
            }
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            // The results behind are misses, and a miss is repaired by running the action again.
        }

        return frames.End;
    }

    /// <summary>Whether a result of this name is still there, wholly and unaltered.</summary>
    public bool TryRead(in RecordPlace place, in ResultName name, Span<byte> record)
    {
        try
        {
            return log.TryRead(place.Offset, record)
                && RecordFormat.TryReadHead(record, out var head) && head.Kind == RecordKind.Result && head.Name == name;
        }
        catch (IOException)
        {
            return false; // a bad sector holds no result
        }
    }
}
