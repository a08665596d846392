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
    private readonly List<CacheSegment> _segments = [];
    private long _sealedBytes; // of all segments but the last
    private long _lastNumber;

    private CacheLog(string directory, long segmentBytes) => (_directory, _segmentBytes) = (directory, segmentBytes);

    public long Bytes => _sealedBytes + Active.Bytes;

    public CacheSegment Oldest => _segments[0];

    public bool HasOneSegment => _segments.Count == 1;

    private CacheSegment Active => _segments[^1];

    /// <summary>Opens or makes a log, and tells every intact record in it, first to last.</summary>
    public static CacheLog Open(string directory, long segmentBytes, Action<RecordHead, RecordPlace> found)
    {
        var log = new CacheLog(directory, segmentBytes);
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
        if (Active.Bytes + record.Length > _segmentBytes && Active.Bytes > RecordFormat.SegmentHeaderBytes) Begin();
        return Active.Append(record);
    }

    public void DeleteOldest()
    {
        var oldest = Oldest;
        File.Delete(oldest.Path);
        _segments.RemoveAt(0);
        _sealedBytes -= oldest.Bytes;
        oldest.Dispose();
    }

    public void Dispose()
    {
        foreach (var segment in _segments) segment.Dispose();
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
            if (CacheSegment.TryOpen(path) is { } segment) _segments.Add(segment);
            else File.Delete(path); // begun by a process that ended in this moment, or rotten: nothing in it can be told
        }

        foreach (var segment in _segments)
        {
            var reader = new SegmentReader(segment);
            while (reader.TryNext(out var head, out var place)) found(head, place);
            if (segment == Active) segment.CutAt(reader.End);
            else _sealedBytes += segment.Bytes;
        }

        if (_segments.Count == 0) Begin();
    }

    private void Begin()
    {
        string name = (_lastNumber + 1).ToString("D10", CultureInfo.InvariantCulture) + Suffix;
        var next = CacheSegment.Create(Path.Combine(_directory, name));
        _lastNumber++;
        if (_segments.Count > 0) _sealedBytes += Active.Bytes;
        _segments.Add(next);
    }
}
