using System.Globalization;

namespace RemoteExec.Storage;

/// <summary>
/// Segments <c>0000000001.log</c>, <c>0000000002.log</c>, …: the last one is appended to, and only the first is ever deleted.
/// In this order a result that was replaced is gone before the one that replaced it. For one thread at a time.
/// </summary>
internal sealed class CacheLog : IDisposable
{
    private const int NumberDigits = 10;
    private const string Suffix = ".log";

    private readonly string _directory;
    private readonly long _segmentBytes;
    private readonly IDisk _disk;
    private readonly List<CacheSegment> _segments = [];
    private long _sealedBytes; // of all segments but the last
    private long _lastNumber;

    private CacheLog(string directory, long segmentBytes, IDisk disk) => (_directory, _segmentBytes, _disk) = (directory, segmentBytes, disk);

    public long Bytes => _sealedBytes + (Active?.Log.LengthBytes ?? 0);

    public CacheSegment Oldest => _segments[0];

    public bool HasOneSegment => _segments.Count <= 1;

    // Begun by the first append and not before: a start on a full disk needs no room.
    private CacheSegment? Active => _segments.Count == 0 ? null : _segments[^1];

    /// <summary>Opens a log, and tells every intact record in it, first to last.</summary>
    public static CacheLog Open(string directory, long segmentBytes, IDisk disk, Action<RecordHead, RecordPlace> found)
    {
        var log = new CacheLog(directory, segmentBytes, disk);
        try
        {
            log.Load(found);
            return log;
        }
        catch
        {
            log.Dispose();
            throw;
        }
    }

    /// <summary>Writes the segment's marker into the record, and the record to the log, wholly or not at all.</summary>
    public RecordPlace Append(Span<byte> record)
    {
        // A segment of no record takes any.
        bool hasRoom = Active?.Log.LengthBytes is { } length && (length + record.Length <= _segmentBytes || length <= RecordFormat.Frames.HeaderBytes);
        return (hasRoom ? Active! : Begin()).Append(record);
    }

    public void DeleteOldest()
    {
        var oldest = Oldest.Log;
        File.Delete(oldest.Path);
        _segments.RemoveAt(0);
        _sealedBytes -= oldest.LengthBytes;
        oldest.Dispose();
    }

    public void Dispose()
    {
        foreach (var segment in _segments) segment.Log.Dispose();
    }

    private static bool TryReadNumber(string path, out long number)
    {
        string name = Path.GetFileName(path);
        number = 0;
        return name.Length == NumberDigits + Suffix.Length && name.EndsWith(Suffix, StringComparison.Ordinal)
            && long.TryParse(name.AsSpan(0, NumberDigits), NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }

    private void Load(Action<RecordHead, RecordPlace> found)
    {
        Directory.CreateDirectory(_directory);
        foreach (string path in Directory.EnumerateFiles(_directory, "*" + Suffix).Order(StringComparer.Ordinal))
        {
            if (!TryReadNumber(path, out long number)) continue;

            _lastNumber = number;
            if (TryOpen(path) is { } segment) _segments.Add(segment);
            else File.Delete(path); // never reached the disk, or rotten: nothing in it can be told
        }

        foreach (var segment in _segments)
        {
            long end = segment.ReadAll(found);
            if (segment == Active) segment.Log.CutAt(end);
            else _sealedBytes += segment.Log.LengthBytes;
        }
    }

    private CacheSegment? TryOpen(string path)
    {
        try
        {
            // The data directory is locked as a whole, so nobody else need be kept out.
            return FramedLog.TryOpen(path, RecordFormat.Frames, _disk, isAlone: false, out _) is { } log ? new CacheSegment(log) : null;
        }
        catch (IOException unreadable) when (Errno.IsUnreadable(unreadable.HResult))
        {
            return null;
        }
    }

    private CacheSegment Begin()
    {
        string name = (_lastNumber + 1).ToString("D10", CultureInfo.InvariantCulture) + Suffix;
        var log = FramedLog.Begin(Path.Combine(_directory, name), RecordFormat.Frames, _disk, isAlone: false);
        try
        {
            log.Publish();
        }
        catch
        {
            log.Dispose();
            throw;
        }

        _lastNumber++;
        _sealedBytes = Bytes;
        var next = new CacheSegment(log);
        _segments.Add(next);
        return next;
    }
}
