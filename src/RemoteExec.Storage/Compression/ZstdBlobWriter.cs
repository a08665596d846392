using System.Buffers;
using Grpc.Core;
using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>
/// Takes a compressed upload: what is appended is zstd, what reaches the store is not. The store stops it at the first byte beyond
/// the blob's size (REAPI BW10), so a bomb costs one buffer.
/// </summary>
internal sealed class ZstdBlobWriter(DecoderPlace place, IBlobWriter inner, long sizeBytes) : IBlobWriter
{
    private const int PieceBytes = 256 << 10;

    private byte[]? _piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
    private int _filled;
    private bool _isClean;

    /// <summary>Uncompressed bytes.</summary>
    public long WrittenBytes => inner.WrittenBytes + _filled;

    public bool AlreadyPresent => inner.AlreadyPresent;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        var decoder = place.Take(data.Length);
        try
        {
            decoder.Push(data);
            while (true)
            {
                _filled += decoder.Read(_piece.AsSpan(_filled));
                if (_filled < _piece.Length) break;
                await HandOverAsync(cancellationToken);
            }

            // The end of the blob, or more: the store should see it as soon as it is known.
            if (WrittenBytes >= sizeBytes) await HandOverAsync(cancellationToken);
        }
        catch (ZstdException broken)
        {
            throw Zstd.Broken(broken, sizeBytes);
        }
        finally
        {
            place.Rest();
        }
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        var decoder = place.Take(0); // for good: what is left is ours to do
        await HandOverAsync(cancellationToken);
        _isClean = decoder.IsBetweenFrames();
        if (!_isClean && !AlreadyPresent)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream was cut short after {WrittenBytes} bytes");
        await inner.CommitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _piece, null) is { } piece)
        {
            place.Leave(_isClean);
            ArrayPool<byte>.Shared.Return(piece);
        }

        return inner.DisposeAsync();
    }

    private async ValueTask HandOverAsync(CancellationToken cancellationToken)
    {
        if (_filled == 0) return;

        int count = _filled;
        _filled = 0;
        await inner.AppendAsync(_piece.AsMemory(0, count), cancellationToken);
    }
}
