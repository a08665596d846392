using System.Buffers;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Takes a compressed upload: what is appended is zstd, what reaches the store is not. Stops at the first byte beyond
/// the declared size (REAPI BW10), so a bomb costs one buffer.
/// </summary>
public sealed class ZstdBlobWriter(IBlobWriter inner, long declaredSizeBytes) : IBlobWriter
{
    private const int PieceBytes = 256 << 10;

    private readonly ZstdDecompressor _decompressor = new();
    private byte[]? _piece = ArrayPool<byte>.Shared.Rent(PieceBytes);

    /// <summary>Uncompressed bytes.</summary>
    public long WrittenBytes => inner.WrittenBytes;

    /// <summary>Compressed bytes taken: what ByteStream.Write answers (REAPI BW6).</summary>
    public long CompressedBytes { get; private set; }

    public bool AlreadyPresent => inner.AlreadyPresent;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        CompressedBytes += data.Length;
        while (true)
        {
            _decompressor.Decompress(data.Span, _piece, out int consumed, out int written);
            data = data[consumed..];
            if (written > declaredSizeBytes - inner.WrittenBytes)
            {
                throw StorageErrors.Create(
                    StatusCode.InvalidArgument, $"the zstd stream has more than the {declaredSizeBytes} bytes that its digest says");
            }

            if (written > 0) await inner.AppendAsync(_piece.AsMemory(0, written), cancellationToken);
            // A full piece may have left more behind in the decoder.
            if (data.IsEmpty && written < _piece.Length) return;
        }
    }

    public ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (!_decompressor.IsAtFrameEnd && !AlreadyPresent)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream was cut short after {CompressedBytes} bytes");
        return inner.CommitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _piece, null) is { } piece)
        {
            _decompressor.Dispose();
            ArrayPool<byte>.Shared.Return(piece);
        }

        return inner.DisposeAsync();
    }
}
