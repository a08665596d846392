using System.Buffers;

namespace RemoteExec.Storage;

/// <summary>
/// Gives back what replaced and evicted results, and records of uses, take on disk: what still counts in the oldest segment is
/// appended again, then the segment is deleted. Each append pays a share in proportion to its size, so none waits for long.
/// </summary>
internal sealed class LogCompaction(CacheLog log, ResultIndex index, long segmentBytes)
{
    // A round over the whole log pays for at most the live bytes and the heads of as many dead ones. At four for one it is over
    // before half of the live bytes was appended, so the log stays below two and a half times the live bytes, and two segments.
    private const int MovedPerAppended = 4;

    public void Pay(int appendedBytes)
    {
        long deadBytes = log.Bytes - index.Bytes;
        if (log.HasOneSegment || deadBytes <= Math.Max(index.Bytes, segmentBytes)) return;

        try
        {
            Advance((long)appendedBytes * MovedPerAppended);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            // A full disk, for one. What was to be appended is, and the next append tries again from here.
        }
    }

    private void Advance(long budgetBytes)
    {
        var oldest = log.Oldest;
        while (oldest.Results.TryPeek(out var result))
        {
            if (budgetBytes <= 0) return;

            // The dead take time too.
            budgetBytes -= result.IsIn(oldest) ? Move(result, oldest) : RecordFormat.HeadBytes;
            oldest.Results.Dequeue();
        }

        log.DeleteOldest();
    }

    private int Move(CachedResult result, CacheSegment from)
    {
        var place = result.Place!.Value; // it is in a segment
        using var buffer = MemoryPool<byte>.Shared.Rent(place.Bytes);
        var record = buffer.Memory.Span[..place.Bytes];
        if (from.TryRead(place, result.Name, record))
        {
            // The records of its uses stay behind.
            RecordFormat.WriteHead(record, RecordKind.Result, result.Name, result.LastUse);
            result.MoveTo(log.Append(record));
        }
        else
        {
            index.Drop(result);
        }

        return place.Bytes;
    }
}
