using System.Buffers;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Results in an append-only log, bounded in number and bytes, the least recently used evicted first.
/// </summary>
/// <remarks>
/// A log and not a file for each result, because a put is on the way from a finished action to its client: an append takes some
/// ten microseconds, a new inode up to a millisecond (ext4 without a journal searches past the ones deleted lately).
/// Not flushed: what a loss of power tears is a miss, or lets an earlier result of the action answer again; a miss is repaired
/// by running the action again. A killed process loses nothing. An eviction leaves no trace in the log: reading it again
/// evicts by the same rule.
/// </remarks>
public sealed class DiskActionCache : IActionCache, IDisposable
{
    // Few enough to keep all of them open; each small enough for the disk to follow the bound closely.
    private const int SegmentsPerLimit = 16;
    private const long SegmentBytesMin = 1 << 20;
    private const long SegmentBytesMax = 64 << 20;

    private readonly DiskActionCacheOptions _options;
    private readonly SteadyTime _time;
    private readonly Lock _gate = new();
    private readonly ResultIndex _index;
    private readonly CacheLog _log;
    private readonly LogCompaction _compaction;
    private DateTimeOffset _newestFound;

    private DiskActionCache(DiskActionCacheOptions options, TimeProvider time)
    {
        _options = options;
        _index = new ResultIndex(options.EntriesMax, options.LimitBytes);
        long segmentBytes = Math.Clamp(options.LimitBytes / SegmentsPerLimit, SegmentBytesMin, SegmentBytesMax);
        _log = CacheLog.Open(options.Directory, segmentBytes, options.Disk, Found);
        // Never behind what the log says: by a wall clock that was set back, what is used from now on would be older than everything.
        var now = time.GetUtcNow();
        _time = new SteadyTime(time, now > _newestFound ? now : _newestFound);
        _compaction = new LogCompaction(_log, _index, segmentBytes);
        _index.SortByUse();
        _index.EvictSurplus();
    }

    public int Entries
    {
        get { lock (_gate) return _index.Count; }
    }

    /// <exception cref="StorageDirectoryException">The directory cannot be used, in one sentence for the operator.</exception>
    public static DiskActionCache Open(DiskActionCacheOptions options, TimeProvider time)
    {
        try
        {
            return new DiskActionCache(options, time);
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            throw new StorageDirectoryException($"The action cache directory {options.Directory} cannot be used: {failed.Message}", failed);
        }
    }

    public ValueTask<ActionResult?> GetAsync(ActionCacheKey key, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var name = ResultName.Of(key);
        CachedResult? result;
        RecordPlace place;
        lock (_gate)
        {
            result = _index.Use(name);
            if (result is null) return ValueTask.FromResult<ActionResult?>(null);

            RecordUse(result);
            // Recording the use may have moved the result, or found it unreadable.
            if (result.Place is not { } current) return ValueTask.FromResult<ActionResult?>(null);
            place = current;
            place.Segment.Log.Hold();
        }

        return ValueTask.FromResult(ReadHeld(new ResultAt(result, place)));
    }

    public ValueTask PutAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        int payloadBytes = result.CalculateSize();
        if (payloadBytes > RecordFormat.PayloadBytesMax)
            throw StorageErrors.Create(StatusCode.ResourceExhausted, $"a result of {payloadBytes} bytes is too large to be cached");

        var name = ResultName.Of(key);
        var now = _time.GetUtcNow().UtcDateTime;
        using var buffer = MemoryPool<byte>.Shared.Rent(RecordFormat.HeadBytes + payloadBytes);
        var record = buffer.Memory.Span[..(RecordFormat.HeadBytes + payloadBytes)];
        result.WriteTo(record[RecordFormat.HeadBytes..]);
        RecordFormat.WriteHead(record, RecordKind.Result, name, now);
        try
        {
            lock (_gate)
            {
                _index.Set(name, _log.Append(record), now);
                _index.EvictSurplus();
                _compaction.Pay(record.Length);
            }
        }
        catch (IOException failed)
        {
            throw StorageErrors.FromErrno(failed.HResult, "storing a result", _options.Directory);
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>From now on results can be asked for in the order in which they may lose something (<see cref="ResultDues"/>).</summary>
    /// <returns>The time by the clock of these.</returns>
    internal DateTimeOffset BeginDues(TimeSpan early)
    {
        lock (_gate) _index.BeginDues(early);
        return _time.GetUtcNow();
    }

    /// <inheritdoc cref="ResultDues.Take"/>
    internal ResultAt? TakeDue(long upToMs)
    {
        lock (_gate) return _index.Dues?.Take(upToMs) is { Place: { } place } result ? new ResultAt(result, place) : null;
    }

    /// <inheritdoc cref="ResultDues.PutBack"/>
    internal void PutBack(in ResultAt due, long dueMs)
    {
        lock (_gate) _index.Dues?.PutBack(due.Result, dueMs);
    }

    /// <summary>Reads a result, which is no use of it; null when it is not there any more, or not there.</summary>
    internal ActionResult? Peek(in ResultAt found)
    {
        lock (_gate)
        {
            if (found.Result.Place != found.Place) return null;
            found.Place.Segment.Log.Hold();
        }

        return ReadHeld(found);
    }

    /// <summary>Forgets a result that nobody can be served any more, unless it was stored again meanwhile. Like an eviction it leaves no trace in the log.</summary>
    internal bool TryDrop(in ResultAt found)
    {
        lock (_gate)
        {
            if (found.Result.Place != found.Place) return false;
            _index.Drop(found.Result);
            return true;
        }
    }

    public void Dispose()
    {
        lock (_gate) _log.Dispose();
    }

    private void Found(RecordHead head, RecordPlace place)
    {
        var use = new DateTimeOffset(head.LastUse);
        if (use > _newestFound) _newestFound = use;
        if (head.Kind == RecordKind.Result) _index.Set(head.Name, place, head.LastUse);
        else if (_index.Use(head.Name) is { } used) used.LastUse = head.LastUse;
    }

    /// <summary>Reads from a segment that is held, and lets it go. What cannot be read is forgotten, unless a new result came meanwhile.</summary>
    private ActionResult? ReadHeld(in ResultAt found)
    {
        var place = found.Place;
        using var buffer = MemoryPool<byte>.Shared.Rent(place.Bytes);
        try
        {
            var record = buffer.Memory.Span[..place.Bytes];
            if (place.Segment.TryRead(place, found.Result.Name, record)) return ActionResult.Parser.ParseFrom(record[RecordFormat.HeadBytes..]);
        }
        finally
        {
            place.Segment.Log.LetGo();
        }

        TryDrop(found);
        return null;
    }

    private void RecordUse(CachedResult result)
    {
        var now = _time.GetUtcNow().UtcDateTime;
        if (now - result.LastUse < _options.UseGranularity) return;

        Span<byte> use = stackalloc byte[RecordFormat.HeadBytes];
        RecordFormat.WriteHead(use, RecordKind.Use, result.Name, now);
        try
        {
            _log.Append(use);
        }
        catch (IOException)
        {
            return; // No room: the next use is recorded, or a restart takes this result for older than it is.
        }

        result.LastUse = now;
        _compaction.Pay(use.Length);
    }
}
