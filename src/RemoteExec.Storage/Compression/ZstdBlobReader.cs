using System.Buffers;

namespace RemoteExec.Storage;

/// <summary>Compresses a blob while it is read, into one frame (REAPI BR5: older decoders stop at the first).</summary>
public sealed class ZstdBlobReader(IBlobReader inner) : IAsyncDisposable
{
    private const int PieceBytes = 128 << 10;

    private readonly ZstdCompressor _compressor = new(inner.RemainingBytes);
    private byte[]? _piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
    private int _start;
    private int _end;
    private bool _isComplete;

    /// <summary>The next compressed bytes; 0 is the end of the frame.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        while (!_isComplete && buffer.Length > 0)
        {
            if (_start == _end && inner.RemainingBytes > 0)
            {
                _start = 0;
                _end = await inner.ReadAsync(_piece, cancellationToken);
            }

            bool isLast = inner.RemainingBytes == 0;
            _isComplete = _compressor.Compress(_piece.AsSpan(_start, _end - _start), buffer.Span, isLast, out int consumed, out int written);
            _start += consumed;
            if (written > 0) return written;
        }

        return 0;
    }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _piece, null) is { } piece)
        {
            _compressor.Dispose();
            ArrayPool<byte>.Shared.Return(piece);
        }

        return inner.DisposeAsync();
    }
}
