using System.Buffers.Binary;

namespace RemoteExec.Storage;

/// <summary>All intact records of a segment, read in large pieces; whatever else is there is skipped.</summary>
internal sealed class SegmentReader(CacheSegment segment)
{
    private const int BufferBytes = 1 << 20;

    private byte[] _buffer = new byte[BufferBytes];
    private long _bufferOffset;
    private int _buffered;
    private long _position = RecordFormat.SegmentHeaderBytes;

    /// <summary>Behind the last intact record so far.</summary>
    public long End { get; private set; } = RecordFormat.SegmentHeaderBytes;

    public bool TryNext(out RecordHead head, out RecordPlace place)
    {
        do
        {
            var record = Peek(RecordFormat.HeadBytes);
            if (record.Length < RecordFormat.HeadBytes) break;
            if (!RecordFormat.TryReadHead(record, segment.Marker, out head)) continue;

            // Also before allocating: a length that leads out of the file is a torn or damaged one.
            int bytes = RecordFormat.HeadBytes + head.PayloadBytes;
            if (bytes > segment.Bytes - _position || !RecordFormat.IsIntact(Peek(bytes))) continue;

            place = new RecordPlace(segment, _position, bytes);
            _position = End = _position + bytes;
            return true;
        }
        while (TrySkipToMarker());

        (head, place) = (default, default);
        return false;
    }

    private bool TrySkipToMarker()
    {
        Span<byte> marker = stackalloc byte[RecordFormat.MarkerBytes];
        BinaryPrimitives.WriteUInt64LittleEndian(marker, segment.Marker);
        _position++;
        while (true)
        {
            var piece = Peek(BufferBytes);
            int found = piece.IndexOf(marker);
            if (found >= 0)
            {
                _position += found;
                return true;
            }

            if (piece.Length < BufferBytes) return false;
            _position += piece.Length - (marker.Length - 1); // it may straddle two pieces
        }
    }

    /// <summary>What follows the position: so many bytes, or fewer at the end of the segment.</summary>
    private ReadOnlySpan<byte> Peek(int bytes)
    {
        bytes = (int)Math.Min(bytes, Math.Max(0, segment.Bytes - _position));
        if (_position < _bufferOffset || _position + bytes > _bufferOffset + _buffered)
        {
            if (bytes > _buffer.Length) _buffer = new byte[bytes];
            int wanted = (int)Math.Min(_buffer.Length, segment.Bytes - _position);
            _bufferOffset = _position;
            _buffered = segment.Read(_position, _buffer.AsSpan(0, wanted));
        }

        int start = (int)(_position - _bufferOffset);
        return _buffer.AsSpan(start, Math.Min(bytes, _buffered - start));
    }
}
