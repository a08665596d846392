using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Appends records to one segment after the other: write, flush, index, acknowledge, for all who wait at once.
/// </summary>
/// <remarks>
/// A lone upload starts at once, there is no timer; what arrives while a group is being flushed forms the next one. So every acknowledged upload is covered by a flush that began after its bytes were written.
/// </remarks>
internal sealed class SegmentLog(
    SegmentSet segments, BlobIndex index, UseLog uses, IDisk disk, DiskWriteHealth health, IBlobStoreObserver observer, TimeProvider time, int segmentBytes)
{
    // Bounds how long the first of a group waits for the last.
    private const int GroupBytesMax = 8 << 20;
    private const int GroupRecordsMax = 16 * 1024;

    // A disk that fails one flush after the other is given a pause: each attempt costs it a file, and nobody is served sooner by more of them.
    private const int FailuresMax = 2;
    private static readonly TimeSpan FlushRetryInterval = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly Queue<PendingRecords> _waiting = new();
    private TaskCompletionSource? _idle;
    private Segment? _current;
    private readonly SegmentHeadroom _headroom = new(segmentBytes);
    private volatile bool _isSuspect;
    private int _failures; // of flushes, one after the other; with the next two of whoever publishes
    private long _failedAt;
    private RpcException? _failure;

    /// <summary>The disk has failed a flush. It may have dropped what it was given, so this never heals by itself.</summary>
    public bool IsSuspect => _isSuspect;

    /// <summary>Called when a segment is full, and when there are records that want a file.</summary>
    public Action? Advanced { get; set; }

    /// <summary>Larger blobs get a file of their own, and the record only stands in for it meanwhile.</summary>
    public required int PackedBytesMax { get; init; }

    /// <summary>Goes on in what an earlier run left.</summary>
    public void Continue(Segment segment) => _current = segment;

    /// <param name="mayBlock">
    /// The caller has nothing else to begin meanwhile: when nothing is under way it does it all itself, without waiting for another thread.
    /// </param>
    public Task AppendAsync(PendingRecords records, bool mayBlock)
    {
        lock (_gate)
        {
            _waiting.Enqueue(records);
            if (_idle is not null) return records.Done;
            _idle = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        // For itself; whoever came meanwhile is not served by a caller that wants its answer.
        if (!mayBlock || ServeGroup()) ThreadPool.UnsafeQueueUserWorkItem(static log => log.Run(), this, preferLocal: false);
        return records.Done;
    }

    /// <summary>Waits until nothing is under way.</summary>
    public Task DrainAsync()
    {
        lock (_gate) return _idle?.Task ?? Task.CompletedTask;
    }

    private void Run()
    {
        while (ServeGroup()) { }
    }

    /// <summary>False when nobody waits any more.</summary>
    private bool ServeGroup()
    {
        var group = TakeGroup();
        ServingLoop.Serve(() => Publish(group), failure =>
        {
            foreach (var records in group) records.FailAll(failure);
        });
        foreach (var records in group) records.Complete();

        lock (_gate)
        {
            if (_waiting.Count > 0) return true;

            _idle!.SetResult();
            _idle = null;
            return false;
        }
    }

    private List<PendingRecords> TakeGroup()
    {
        var group = new List<PendingRecords>();
        lock (_gate)
        {
            long bytes = 0, count = 0;
            while (_waiting.TryPeek(out var next) && (group.Count == 0 || bytes + next.Bytes.Length <= GroupBytesMax && count + next.Digests.Count <= GroupRecordsMax))
            {
                group.Add(_waiting.Dequeue());
                bytes += next.Bytes.Length;
                count += next.Digests.Count;
            }
        }

        return group;
    }

    /// <summary>As many at a time as go into one segment.</summary>
    private void Publish(List<PendingRecords> group)
    {
        for (int start = 0; start < group.Count;)
        {
            long bytes = group[start].Bytes.Length;
            int end = start + 1;
            while (end < group.Count && (_current?.End ?? SegmentFormat.HeaderBytes) + bytes + group[end].Bytes.Length <= segmentBytes) bytes += group[end++].Bytes.Length;

            var part = group[start..end];
            ServingLoop.Serve(() => PublishPart(part, bytes), failure =>
            {
                foreach (var records in part) records.FailAll(failure);
            });
            start = end;
        }

        uses.Flush();
    }

    private void PublishPart(List<PendingRecords> part, long bytes)
    {
        if (_failures >= FailuresMax && time.GetElapsedTime(_failedAt) < FlushRetryInterval) throw new RpcException(_failure!.Status, _failure.Trailers);

        var segment = Open(bytes);
        bool isWritten = ServingLoop.Serve(() => Write(segment, part), failure =>
        {
            // On a disk that is nearly full one may fit where all do not.
            if (part.Count == 1) part[0].FailAll(failure);
        });
        if (!isWritten)
        {
            if (part.Count == 1) return;
            foreach (var records in part) PublishPart([records], records.Bytes.Length);
            return;
        }

        Flush(segment);
        AddToIndex(segment, part);
        health.Succeeded();
    }

    /// <summary>The segment that these bytes go to. What is larger than a segment has one of its own.</summary>
    private Segment Open(long bytes)
    {
        if (_current is { } full && (full.IsFull || full.End > SegmentFormat.HeaderBytes && full.End + bytes > segmentBytes)) Close(full);
        if (_current is { } current) return current;

        try
        {
            return _current = segments.Create(disk.Flush);
        }
        catch (IOException failed)
        {
            throw health.Failed(StorageErrors.FromErrno(failed.HResult, "creating a segment", segments.Path));
        }
    }

    /// <summary>Gives it its footer, unflushed: without one a restart reads the records themselves.</summary>
    private void Close(Segment segment)
    {
        _current = null;
        uint checksum = 0;
        ServingLoop.Serve(
            () =>
            {
                byte[] footer = SegmentFormat.Footer(segment.Records, segment.End, segments.Mark);
                RandomAccess.SetLength(segment.File, segment.End);
                RandomAccess.Write(segment.File, footer, segment.End);
                checksum = SegmentFormat.ChecksumOf(footer);
            },
            static _ => { });
        segment.Fill(checksum);
        Advanced?.Invoke();
    }

    private void Write(Segment segment, List<PendingRecords> part)
    {
        try
        {
            long end = segment.End + part.Sum(records => (long)records.Bytes.Length);
            _headroom.Reserve(segment, end);
            if (part.Count == 1) RandomAccess.Write(segment.File, part[0].Bytes.Span, segment.End);
            else RandomAccess.Write(segment.File, part.ConvertAll(records => records.Bytes), segment.End);
            _headroom.Zero(segment, end);
        }
        catch (IOException failed)
        {
            // What was written in part is written over by the next, which begins at the same place.
            throw health.Failed(StorageErrors.FromErrno(failed.HResult, "writing a blob", segments.Path));
        }
    }

    private void Flush(Segment segment)
    {
        long start = time.GetTimestamp();
        int errno = disk.FlushData(segment.File);
        observer.Flushed(time.GetElapsedTime(start));
        if (errno == 0)
        {
            _failures = 0;
            return;
        }

        (_failures, _failedAt) = (_failures + 1, time.GetTimestamp());

        // fsync reports an error once and may then call the lost pages clean (fsync(2)): trying again, or going on in this file, would lie.
        _isSuspect = true;
        _current = null;
        // What nobody was told of must not be found by the next run, which would take it for flushed.
        ServingLoop.Serve(() => RandomAccess.SetLength(segment.File, segment.End), static _ => { });
        segment.Fill(footerChecksum: 0);
        // As often as somebody tries on such a disk: none may be left behind.
        if (segment.End == SegmentFormat.HeaderBytes) ServingLoop.Serve(() => segments.Delete(segment), static _ => { });
        throw _failure = health.Failed(StorageErrors.FromErrno(errno, "flushing a segment", segments.Path));
    }

    private void AddToIndex(Segment segment, List<PendingRecords> part)
    {
        bool wantsFiles = false;
        foreach (var records in part)
        {
            var placed = new SegmentRecord[records.Digests.Count];
            int offset = segment.End;
            for (int i = 0; i < placed.Length; i++)
            {
                placed[i] = new SegmentRecord(records.Digests[i], offset);
                offset = placed[i].End;
            }

            // Before anybody can find them, and evict them.
            segment.Append(placed);
            if (records.MovedFrom is null) Add(segment, placed, records);
            else Move(segment, placed, records, records.MovedFrom);

            for (int i = 0; i < placed.Length; i++)
            {
                if (records.Results[i] != AddResult.Added)
                {
                    segments.Die(placed[i].Digest, new BlobPlace(segment.Number, placed[i].Offset));
                }
                else if (placed[i].Digest.SizeBytes > PackedBytesMax)
                {
                    segments.WantFile(segment, placed[i]);
                    wantsFiles = true;
                }
            }
        }

        segments.NoteDead();
        if (wantsFiles) Advanced?.Invoke();
    }

    private void Add(Segment segment, SegmentRecord[] placed, PendingRecords records)
    {
        var blobs = new StoredBlob[Math.Min(placed.Length, BlobIndex.EntriesPerHold)];
        for (int start = 0; start < placed.Length;)
        {
            int count = Math.Min(blobs.Length, placed.Length - start), first = start;
            for (int i = 0; i < count; i++)
                blobs[i] = new StoredBlob(placed[first + i].Digest, new BlobPlace(segment.Number, placed[first + i].Offset), BlobFileKinds.None);

            bool isServed = ServingLoop.Serve(
                () => index.AddMany(blobs.AsSpan(0, count), time.GetUtcNow(), records.Results.AsSpan(first, count)),
                failure => start = FailFirst(records, first, count, failure));
            if (isServed) start += count;
        }
    }

    /// <summary>What the index could not take is the failure of that one; those behind it are tried again.</summary>
    private static int FailFirst(PendingRecords records, int start, int count, Exception failure)
    {
        int failed = start;
        while (failed < start + count - 1 && records.Results[failed] != AddResult.NotAdded) failed++;
        records.Fail(failed, failure);
        return failed + 1;
    }

    private void Move(Segment segment, SegmentRecord[] placed, PendingRecords records, IReadOnlyList<BlobPlace> from)
    {
        for (int i = 0; i < placed.Length; i++)
        {
            if (!index.TryMove(placed[i].Digest, from[i], new BlobPlace(segment.Number, placed[i].Offset))) continue;

            records.Results[i] = AddResult.Added;
            segments.Die(placed[i].Digest, from[i]);
        }
    }
}
