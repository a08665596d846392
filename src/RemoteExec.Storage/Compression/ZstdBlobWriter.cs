using System.Buffers;
using Grpc.Core;
using ZstdNet;

namespace RemoteExec.Storage;

/// <summary>
/// Takes a compressed upload: what is appended is zstd, what reaches the store is not. The store stops it at the first byte beyond
/// the blob's size (REAPI BW10), so a bomb costs one buffer.
/// </summary>
public sealed class ZstdBlobWriter : IBlobWriter
{
    private const int PieceBytes = 256 << 10;

    private readonly ZstdDecoders _decoders;
    private readonly ZstdDecoder _decoder;
    private readonly bool _isCounted;
    private readonly IBlobWriter _inner;
    private readonly long _sizeBytes;
    private byte[]? _piece = ArrayPool<byte>.Shared.Rent(PieceBytes);
    private int _filled;
    private bool _isClean;

    internal ZstdBlobWriter(ZstdDecoders decoders, ZstdDecoder decoder, bool isCounted, IBlobWriter inner, long sizeBytes)
    {
        _decoders = decoders;
        _decoder = decoder;
        _isCounted = isCounted;
        _inner = inner;
        _sizeBytes = sizeBytes;
    }

    /// <summary>Uncompressed bytes.</summary>
    public long WrittenBytes => _inner.WrittenBytes + _filled;

    public bool AlreadyPresent => _inner.AlreadyPresent;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        _decoder.Push(data);
        try
        {
            while (true)
            {
                _filled += _decoder.Read(_piece.AsSpan(_filled));
                if (_filled < _piece.Length) break;
                await HandOverAsync(cancellationToken);
            }
        }
        catch (ZstdException broken)
        {
            throw Zstd.Broken(broken, _sizeBytes);
        }

        // The end of the blob, or more: the store should see it as soon as it is known.
        if (WrittenBytes >= _sizeBytes) await HandOverAsync(cancellationToken);
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_piece is null, this);
        await HandOverAsync(cancellationToken);
        _isClean = _decoder.IsBetweenFrames();
        if (!_isClean && !AlreadyPresent)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"the zstd stream was cut short after {WrittenBytes} bytes");
        await _inner.CommitAsync(cancellationToken);
    }

    public ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _piece, null) is { } piece)
        {
            _decoders.Return(_decoder, _isClean, _isCounted);
            ArrayPool<byte>.Shared.Return(piece);
        }

        return _inner.DisposeAsync();
    }

    private async ValueTask HandOverAsync(CancellationToken cancellationToken)
    {
        if (_filled == 0) return;

        int count = _filled;
        _filled = 0;
        await _inner.AppendAsync(_piece.AsMemory(0, count), cancellationToken);
    }
}
