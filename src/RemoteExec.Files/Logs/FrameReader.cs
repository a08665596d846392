using System.Buffers.Binary;

namespace RemoteExec.Files;

/// <summary>
/// All intact frames of a part of a log, read in large pieces; whatever else is there is skipped, where there is a marker to find
/// the next one by. A file of any size takes the memory of its largest frame.
/// </summary>
public sealed class FrameReader
{
    private const int PieceBytes = 1 << 20;

    private readonly FramedLog _log;
    private readonly FrameFormat _format;
    private readonly long _limit;
    private byte[] _buffer;
    private long _bufferOffset;
    private int _buffered;
    private long _position;

    internal FrameReader(FramedLog log, FrameFormat format, long start, long limit)
    {
        _log = log;
        _format = format;
        _limit = limit;
        _position = End = start;
        _buffer = new byte[Math.Clamp(limit - start, 0, PieceBytes)];
    }

    /// <summary>Behind the last intact frame so far.</summary>
    public long End { get; private set; }

    /// <summary>The next intact frame; more was between it and the one before when <paramref name="offset"/> is beyond that one's end.</summary>
    /// <param name="frame">The caller's until the next call.</param>
    /// <exception cref="IOException">The disk cannot give the bytes back.</exception>
    public bool TryNext(out long offset, out Span<byte> frame)
    {
        do
        {
            var head = Peek(_format.HeadBytes);
            if (head.Length < _format.HeadBytes) break;

            // Also before allocating: a length that leads out of the file is a torn or damaged one.
            long bytes = _format.FrameBytes(head, _log.Marker);
            if (bytes < 0 || bytes > _limit - _position) continue;
            frame = Peek((int)bytes);
            if (frame.Length < bytes || !_format.IsFrame(frame, _log.Marker)) continue;

            offset = _position;
            _position = End = _position + bytes;
            return true;
        }
        while (TrySkipToMarker());

        offset = 0;
        frame = default;
        return false;
    }

    private bool TrySkipToMarker()
    {
        if (!_format.HasMarker) return false;

        Span<byte> marker = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64LittleEndian(marker, _log.Marker);
        _position++;
        while (true)
        {
            var piece = Peek(PieceBytes);
            int found = piece.IndexOf(marker);
            if (found >= 0)
            {
                _position += found;
                return true;
            }

            if (piece.Length < PieceBytes) return false;
            _position += piece.Length - (marker.Length - 1); // it may straddle two pieces
        }
    }

    /// <summary>What follows the position: so many bytes, or fewer at the end.</summary>
    private Span<byte> Peek(int bytes)
    {
        bytes = (int)Math.Min(bytes, Math.Max(0, _limit - _position));
        if (_position < _bufferOffset || _position + bytes > _bufferOffset + _buffered)
        {
            if (bytes > _buffer.Length) _buffer = new byte[bytes];
            int wanted = (int)Math.Min(_buffer.Length, _limit - _position);
            _bufferOffset = _position;
            _buffered = 0; // should the read fail
            _buffered = _log.Read(_position, _buffer.AsSpan(0, wanted));
        }

        int start = (int)(_position - _bufferOffset);
        return _buffer.AsSpan(start, Math.Min(bytes, _buffered - start));
    }
}
