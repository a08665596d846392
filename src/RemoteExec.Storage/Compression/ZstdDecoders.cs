using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The decoders of streams. Each may hold 9 MiB outside of the garbage collector's limit, and there may be ten thousand uploads:
/// so only so many are in use, and the next one waits, first come, first served.
/// </summary>
/// <param name="inUseMax">At most this many at once for blobs that could fill a window.</param>
/// <param name="waitMax">
/// Whoever waits for longer is told to come back. It must not wait for ever: the data that it leaves unread takes up its
/// connection's window, in which the data of those that it waits for may stand behind it.
/// </param>
public sealed class ZstdDecoders(int inUseMax, TimeSpan waitMax, TimeProvider time) : IDisposable
{
    // A stream is cut at its blob's size, so a decoder of a small one touches no more memory than the buffer of a plain upload.
    private const int SmallBytesMax = 512 << 10;

    private readonly SemaphoreSlim _places = new(inUseMax);
    private readonly ContextPool<ZstdDecoder> _pool = new(() => new ZstdDecoder());

    public ZstdDecoders(TimeProvider time)
        : this(inUseMax: 64, waitMax: TimeSpan.FromSeconds(20), time)
    {
    }

    /// <summary>Takes a compressed upload and hands the plain bytes to <paramref name="inner"/>, which it owns from now on.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED with RetryInfo: no decoder became free in time.</exception>
    public async ValueTask<IBlobWriter> DecodeAsync(IBlobWriter inner, long sizeBytes, CancellationToken cancellationToken)
    {
        bool isCounted = sizeBytes > SmallBytesMax;
        try
        {
            if (isCounted) await EnterAsync(cancellationToken);
        }
        catch
        {
            await inner.DisposeAsync();
            throw;
        }

        return new ZstdBlobWriter(this, _pool.Rent(), isCounted, inner, sizeBytes);
    }

    public void Dispose() => _places.Dispose();

    internal void Return(ZstdDecoder decoder, bool isClean, bool isCounted)
    {
        if (isClean) _pool.Return(decoder);
        else decoder.Dispose();
        if (isCounted) _places.Release();
    }

    private async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (_places.Wait(0, CancellationToken.None)) return;

        using var patience = new CancellationTokenSource(waitMax, time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            await _places.WaitAsync(over.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw StorageErrors.Retriable(
                StatusCode.ResourceExhausted, $"{inUseMax} compressed uploads are running already; try again", TimeSpan.FromSeconds(1));
        }
    }
}
