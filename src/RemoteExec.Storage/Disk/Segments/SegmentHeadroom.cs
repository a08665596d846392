using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>What is made ready behind the last record of the segment that is being written: blocks, so that it lies in one piece, and zeros in them.</summary>
/// <remarks>
/// Over zeros that are on the disk a flush finds the blocks written and the file as long as it was: it has data to write, and neither an inode nor a journal,
/// which is a third of the time. A restart reads them as no record (<see cref="SegmentScan"/>).
/// </remarks>
/// <param name="segmentBytes">What a segment takes before the next one is begun.</param>
internal sealed class SegmentHeadroom(int segmentBytes)
{
    // In steps, because an idle store should not take a whole segment.
    private const int ReservedBytes = 4 << 20;
    private const int ZerosBytes = 1 << 20;

    // Who writes little at a time waits for flushes; who writes much waits for the bytes, and would write all of them twice.
    private const int LittleBytesMax = 256 << 10;

    private static readonly byte[] Zeros = new byte[ZerosBytes];

    private Segment? _segment;
    private long _reservedEnd;
    private long _zeroedEnd;
    private bool _mayZero;

    /// <summary>Before records that end there are written. A hint: a disk without room says so when they are.</summary>
    public void Reserve(Segment segment, long end)
    {
        if (segment != _segment) (_segment, _reservedEnd, _zeroedEnd, _mayZero) = (segment, 0, 0, true);
        if (end + ZerosBytes <= _reservedEnd) return;

        _reservedEnd = Math.Min(int.MaxValue, end + ReservedBytes);
        // Zeros must not take the last room of a disk from records.
        _mayZero &= Posix.Preallocate(segment.File, _reservedEnd) == 0;
    }

    /// <summary>After they were written, before they are flushed.</summary>
    public void Zero(Segment segment, long end)
    {
        if (!_mayZero || end - segment.End > LittleBytesMax || end <= _zeroedEnd) return;

        int zeros = (int)Math.Clamp(segmentBytes - end, 0, ZerosBytes);
        // Nobody misses them where they cannot be written.
        _mayZero = ServingLoop.Serve((segment.File, End: end, zeros), static at => RandomAccess.Write(at.File, Zeros.AsSpan(0, at.zeros), at.End), static (_, _) => { });
        _zeroedEnd = end + zeros;
    }
}
