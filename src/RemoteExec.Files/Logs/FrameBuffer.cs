using System.Buffers;

namespace RemoteExec.Files;

/// <summary>A frame that grows: room for the head, then whatever is written. For one thread at a time.</summary>
public sealed class FrameBuffer(FrameFormat format, int capacity) : IBufferWriter<byte>
{
    private byte[] _bytes = new byte[Math.Max(capacity, format.HeadBytes)];
    private int _written = format.HeadBytes;

    public int Capacity => _bytes.Length;

    public int BodyBytes => _written - format.HeadBytes;

    public bool IsEmpty => BodyBytes == 0;

    public void Advance(int count) => _written += count;

    public Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        int needed = _written + Math.Max(1, sizeHint);
        if (needed > _bytes.Length) Array.Resize(ref _bytes, Math.Max(needed, 2 * _bytes.Length));
        return _bytes.AsMemory(_written);
    }

    /// <summary>Takes back what was written beyond so many bytes.</summary>
    public void CutBack(int bodyBytes) => _written = format.HeadBytes + bodyBytes;

    public void Clear() => _written = format.HeadBytes;

    /// <summary>The frame as a log takes it.</summary>
    public Span<byte> Seal()
    {
        var frame = _bytes.AsSpan(0, _written);
        format.Seal(frame);
        return frame;
    }
}
