using System.Buffers;
using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.ExceptionServices;
using Microsoft.Win32.SafeHandles;

namespace RemoteExec.Storage;

/// <summary>All segments of a store, by number: <c>segments/1</c>, <c>segments/2</c> …, and beside each its dead (<c>segments/1.dead</c>).</summary>
internal sealed class SegmentSet : IDisposable
{
    // A record of what is kept here for good, and a page for the head.
    private const int ScratchBytes = 8 << 10;

    [ThreadStatic]
    private static byte[]? _scratch;

    private readonly ConcurrentDictionary<int, Segment> _segments = [];
    private readonly Lock _gate = new();
    private readonly HashSet<Segment> _withDead = [];
    private readonly SafeFileHandle _directory;
    private readonly IDisk _disk;
    private HashSet<int> _left = []; // by earlier runs
    private int _last;
    private long _filelessBytes;

    private SegmentSet(string path, SafeFileHandle directory, IDisk disk, ulong mark) => (Path, _directory, _disk, Mark) = (path, directory, disk, mark);

    public string Path { get; }

    /// <summary>What our records begin with, and nothing that a client wrote (<see cref="SegmentFormat"/>).</summary>
    public ulong Mark { get; }

    public IEnumerable<Segment> All => _segments.Values;

    /// <summary>The sizes of the blobs that are in segments and nowhere else.</summary>
    public long LivingDataBytes => _segments.Values.Sum(segment => segment.LivingDataBytes);

    /// <summary>So much waits for files of its own.</summary>
    public long FilelessBytes => Interlocked.Read(ref _filelessBytes);

    /// <summary>Says of any directory which file system it is on.</summary>
    public SafeFileHandle Directory => _directory;

    /// <summary>Opens the directory; what earlier runs left there is found by <see cref="Reopen(Action{Segment, SegmentScan})"/>, before anything else.</summary>
    public static SegmentSet Open(string path, IDisk disk)
    {
        int errno = Posix.OpenDirectory(path, out var directory);
        if (errno != 0) throw new FileSystemException($"opening {path}", errno);

        try
        {
            int[] numbers = [.. SegmentFiles.NumbersIn(path).Order()];
            return new SegmentSet(path, directory, disk, SegmentFiles.MarkOf(path, numbers, disk)) { _left = [.. numbers], _last = numbers.LastOrDefault() };
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>The full ones of which a log of uses may say where everything is.</summary>
    public List<SegmentClaim> Claims() => [.. _segments.Values.Select(segment => segment.Claim()).OfType<SegmentClaim>()];

    /// <summary>Goes on with a segment that is still what a log says of it; false when it has to be read.</summary>
    public bool TryGoOn(in SegmentClaim claim, SegmentTally tally)
    {
        if (!_left.Contains(claim.Segment) || _segments.ContainsKey(claim.Segment) || Segment.LengthOf(DeadPathOf(claim.Segment)) != claim.DeadBytes) return false;

        var file = SegmentFiles.Open(PathOf(claim.Segment), FileAccess.ReadWrite);
        if (!SegmentScan.HasFooter(file, _disk, Mark, claim.FooterChecksum, out int end))
        {
            file.Dispose();
            return false;
        }

        var segment = new Segment(claim.Segment, file, DeadPathOf(claim.Segment), end);
        segment.Fill(claim.FooterChecksum);
        segment.Restore(tally);
        _segments[claim.Segment] = segment;
        return true;
    }

    /// <summary>Finds the other segments of earlier runs.</summary>
    /// <param name="take">Gets each with all its records that were not noted as dead; several at a time, in no order.</param>
    public void Reopen(Action<Segment, SegmentScan> take)
    {
        try
        {
            Parallel.ForEach(_left.Where(number => !_segments.ContainsKey(number)).ToArray(), number =>
            {
                var (segment, scan) = Reopen(number);
                take(segment, scan);
            });
        }
        catch (AggregateException failed)
        {
            ExceptionDispatchInfo.Throw(failed.InnerExceptions[0]); // one of them is enough for the operator
        }
    }

    /// <summary>A fresh one, whose name is durable.</summary>
    public Segment Create(Func<SafeFileHandle, int> flush)
    {
        // Two logs make them, and one that could not be made leaves a gap.
        int number = Interlocked.Increment(ref _last);
        string name = number.ToString(CultureInfo.InvariantCulture);
        File.Delete(DeadPathOf(number)); // of one that had the number before: its dead are not ours
        int errno = Posix.OpenAt(_directory, name, OpenFlags.ReadWrite | OpenFlags.Create | OpenFlags.Exclusive, Permissions.Octal0600, out var file);
        if (errno != 0) throw new FileSystemException($"creating {PathOf(number)}", errno);

        var segment = new Segment(number, file, DeadPathOf(number), SegmentFormat.HeaderBytes);
        try
        {
            RandomAccess.Write(file, SegmentFormat.Header(number, Mark), 0);
            errno = flush(_directory);
            if (errno != 0) throw new FileSystemException($"flushing {Path}", errno);
        }
        catch
        {
            segment.Delete(PathOf(number));
            throw;
        }

        _segments[number] = segment;
        return segment;
    }

    public void Delete(Segment segment)
    {
        if (!_segments.TryRemove(segment.Number, out _)) return;

        lock (_gate) _withDead.Remove(segment);
        segment.Delete(PathOf(segment.Number));
    }

    /// <summary>Reads a whole blob, its checksum compared.</summary>
    /// <param name="data">As long as the blob.</param>
    public SegmentRead Read(in Digest digest, BlobPlace place, Span<byte> data)
    {
        int recordBytes = SegmentFormat.RecordBytes(digest);
        byte[] lent = recordBytes <= ScratchBytes ? _scratch ??= new byte[ScratchBytes] : ArrayPool<byte>.Shared.Rent(recordBytes);
        try
        {
            var record = lent.AsSpan(0, recordBytes);
            var result = ReadRecord(digest, place, record);
            if (result == SegmentRead.Whole) record[SegmentFormat.HeadBytes(digest.Function)..].CopyTo(data);
            return result;
        }
        finally
        {
            if (lent != _scratch) ArrayPool<byte>.Shared.Return(lent);
        }
    }

    /// <summary>The same with the head, as it lies on disk.</summary>
    public SegmentRead ReadRecord(in Digest digest, BlobPlace place, Span<byte> record)
    {
        if (!_segments.TryGetValue(place.Segment, out var segment)) return SegmentRead.Gone;

        try
        {
            for (int filled = 0; filled < record.Length;)
            {
                int read = _disk.Read(segment.File, record[filled..], place.Offset + filled);
                if (read == 0) return SegmentRead.Bad;
                filled += read;
            }
        }
        catch (ObjectDisposedException)
        {
            return SegmentRead.Gone;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return SegmentRead.Bad;
        }

        return SegmentFormat.IsRecordOf(record, digest, Mark) ? SegmentRead.Whole : SegmentRead.Bad;
    }

    public Segment? Find(int number) => _segments.GetValueOrDefault(number);

    /// <summary>The blob is not at its place any more. Takes note; <see cref="NoteDead"/> writes.</summary>
    public void Die(in Digest digest, BlobPlace place)
    {
        if (Find(place.Segment) is not { } segment) return;

        segment.Die(new SegmentRecord(digest, place.Offset));
        lock (_gate) _withDead.Add(segment);
    }

    /// <summary>The blob is to get a file of its own.</summary>
    public void WantFile(Segment segment, in SegmentRecord record)
    {
        segment.WantFile(record);
        Interlocked.Add(ref _filelessBytes, record.LengthBytes);
    }

    public bool TryTakeFileless(Segment segment, out SegmentRecord record)
    {
        if (!segment.TryTakeFileless(out record)) return false;

        Interlocked.Add(ref _filelessBytes, -record.LengthBytes);
        return true;
    }

    /// <summary>Of records that nobody needs any more, whose blobs are files.</summary>
    public void NoteDeadOf(Segment segment)
    {
        lock (_gate) _withDead.Add(segment);
    }

    public void NoteDead()
    {
        Segment[] segments;
        lock (_gate)
        {
            if (_withDead.Count == 0) return;
            segments = [.. _withDead];
            _withDead.Clear();
        }

        for (int i = 0; i < segments.Length; i++)
        {
            if (segments[i].NoteDead() is not { } failure) continue;

            // Where there is no room for one there is none for the others: all of them the next time.
            int last = Errno.IsOutOfRoom(failure) ? segments.Length : i + 1;
            lock (_gate) _withDead.UnionWith(segments[i..last]);
            if (last > i + 1) return;
        }
    }

    /// <summary>Notes what the disk has not taken so far, and closes.</summary>
    public void Dispose()
    {
        foreach (var segment in _segments.Values) segment.NoteDead();
        foreach (var segment in _segments.Values) segment.Dispose();
        _directory.Dispose();
    }

    private (Segment Segment, SegmentScan Scan) Reopen(int number)
    {
        var file = SegmentFiles.Open(PathOf(number), FileAccess.ReadWrite);
        var scan = SegmentScan.Read(file, _disk, Mark);
        bool isDeadKnown = Segment.TryReadDead(DeadPathOf(number), _disk, out var dead);
        var living = dead.Count == 0 ? scan : scan with { Records = scan.Records.FindAll(record => !dead.Contains(record.Offset)) };
        var segment = new Segment(number, file, DeadPathOf(number), scan.End);
        // A killed run may have written what it did not flush: whoever is told of it from now on is told the truth.
        bool isFlushed = scan.IsFull || _disk.FlushData(file) == 0;
        if (!isFlushed && TryWriteAnew(file, living.Records) is { } anew)
        {
            segment.Delete(PathOf(number));
            return anew;
        }

        _segments[number] = segment;
        // A place that was noted as dead is never written again, and where the last records do not come back it might be. Nor is what the disk
        // may give back after all, nor what has no header: the mark of its records would be told nowhere.
        bool hasHeader = SegmentFiles.HasHeader(file, _disk, out ulong mark) && mark == Mark;
        if (!scan.IsFull && !scan.IsRotten && isFlushed && isDeadKnown && hasHeader && !dead.Any(offset => offset >= scan.End))
        {
            segment.Continue(living.Records, scan.End);
            return (segment, living);
        }

        segment.Fill(scan.FooterChecksum);
        if (RandomAccess.GetLength(file) <= SegmentFormat.HeaderBytes) Delete(segment); // a run ended in the making of it
        return (segment, living);
    }

    /// <summary>
    /// A flush that failed may have let go of what it was for, which is read from memory for some time yet and then not any more (fsync(2)): what
    /// can be read is written to a fresh segment. Null when the disk does not take that either.
    /// </summary>
    private (Segment Segment, SegmentScan Scan)? TryWriteAnew(SafeFileHandle file, List<SegmentRecord> records)
    {
        Segment? segment = null;
        try
        {
            segment = Create(_disk.Flush);
            var written = new List<SegmentRecord>(records.Count);
            int end = SegmentFormat.HeaderBytes;
            foreach (var record in records)
            {
                byte[] bytes = new byte[record.LengthBytes];
                if (!SegmentScan.TryFill(file, _disk, bytes, record.Offset) || !SegmentFormat.IsRecordOf(bytes, record.Digest, Mark)) continue;

                RandomAccess.Write(segment.File, bytes, end);
                written.Add(new SegmentRecord(record.Digest, end));
                end += bytes.Length;
            }

            segment.Continue(written, end);
            if (_disk.FlushData(segment.File) == 0) return (segment, new SegmentScan(written, end, IsFull: false));
        }
        catch (IOException)
        {
            // As below.
        }

        if (segment is not null) Delete(segment);
        return null;
    }

    private string PathOf(int number) => System.IO.Path.Combine(Path, number.ToString(CultureInfo.InvariantCulture));

    private string DeadPathOf(int number) => PathOf(number) + ".dead";
}
