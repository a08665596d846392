using System.Buffers;
using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>Compresses a blob while it is read, into one frame (REAPI BR5: older decoders stop at the first).</summary>
public sealed class ZstdBlobReader(IBlobReader inner) : IAsyncDisposable
{
    // Up to this size a blob is compressed in one go, by a context that is there: making one takes longer than compressing 10 KiB.
    private const int PieceBytes = 128 << 10;

    private readonly MemoryStream _compressed = new();
    private CompressionStream? _frame; // of a larger blob
    private byte[]? _piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
    private bool _isComplete;

    /// <summary>The next compressed bytes; 0 is the end of the frame.</summary>
    public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        while (true)
        {
            int count = _compressed.Read(buffer.Span);
            if (count > 0 || _isComplete || buffer.IsEmpty) return count;

            _compressed.SetLength(0);
            await CompressAsync(cancellationToken);
            _compressed.Position = 0;
        }
    }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _piece, null) is { } piece)
        {
            _frame?.Dispose();
            ArrayPool<byte>.Shared.Return(piece);
        }

        return inner.DisposeAsync();
    }

    private async ValueTask CompressAsync(CancellationToken cancellationToken)
    {
        if (_frame is null && inner.RemainingBytes <= PieceBytes)
        {
            int whole = await FillAsync(cancellationToken);
            _compressed.Write(Zstd.Compress(_piece.AsSpan(0, whole)));
            _isComplete = true;
            return;
        }

        _frame ??= new CompressionStream(_compressed, Zstd.Fastest);
        _frame.Write(_piece.AsSpan(0, await FillAsync(cancellationToken)));
        if (inner.RemainingBytes > 0) return;

        _frame.Dispose(); // writes the end of the frame
        _isComplete = true;
    }

    private async ValueTask<int> FillAsync(CancellationToken cancellationToken)
    {
        int filled = 0;
        while (filled < PieceBytes && inner.RemainingBytes > 0)
        {
            int read = await inner.ReadAsync(_piece.AsMemory(filled, PieceBytes - filled), cancellationToken);
            if (read == 0) throw StorageErrors.Create(Grpc.Core.StatusCode.Unavailable, "the blob is shorter than its digest says");
            filled += read;
        }

        return filled;
    }
}
