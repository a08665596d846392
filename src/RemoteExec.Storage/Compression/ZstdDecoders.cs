using System.Diagnostics;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// The decoders of streams. Each may hold 9 MiB outside of the garbage collector's limit, and there may be ten thousand uploads:
/// so only so many are in use, and the next one waits, first come, first served. It need not wait for those whose clients hardly send
/// anything (<see cref="DecoderPlace"/>): a decoder cannot be put down in the middle of a stream, so such an upload has to come again.
/// </summary>
public sealed class ZstdDecoders : IDisposable
{
    // A stream is cut at its blob's size, so a decoder of a small one touches no more memory than the buffer of a plain upload.
    private const int SmallBytesMax = 512 << 10;

    // Whoever waits looks so often whether somebody has become too slow.
    private static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    private readonly int _inUseMax;
    private readonly TimeSpan _waitMax;
    private readonly TimeProvider _time;
    private readonly SemaphoreSlim _places;
    private readonly ContextPool<ZstdDecoder> _pool;
    private readonly Lock _gate = new();
    private readonly HashSet<DecoderPlace> _counted = [];

    public ZstdDecoders(TimeProvider time)
        : this(inUseMax: 64, waitMax: TimeSpan.FromSeconds(20), time)
    {
    }

    /// <param name="inUseMax">At most this many at once for blobs that could fill a window.</param>
    /// <param name="waitMax">
    /// Whoever waits for longer is told to come back. It must not wait for ever: the data that it leaves unread takes up its
    /// connection's window, in which the data of those that it waits for may stand behind it.
    /// </param>
    public ZstdDecoders(int inUseMax, TimeSpan waitMax, TimeProvider time)
        : this(inUseMax, waitMax, time, () => new ZstdDecoder())
    {
    }

    internal ZstdDecoders(int inUseMax, TimeSpan waitMax, TimeProvider time, Func<ZstdDecoder> create)
    {
        _inUseMax = inUseMax;
        _waitMax = waitMax;
        _time = time;
        _places = new SemaphoreSlim(inUseMax, inUseMax);
        _pool = new ContextPool<ZstdDecoder>(create);
    }

    /// <summary>Takes a compressed upload and hands the plain bytes to <paramref name="inner"/>, which it owns from now on.</summary>
    /// <exception cref="RpcException">RESOURCE_EXHAUSTED with RetryInfo: no decoder became free in time.</exception>
    public async ValueTask<IBlobWriter> DecodeAsync(IBlobWriter inner, long sizeBytes, CancellationToken cancellationToken)
    {
        bool isCounted = sizeBytes > SmallBytesMax, hasEntered = false;
        try
        {
            if (isCounted) await EnterAsync(cancellationToken);
            hasEntered = isCounted;
            var place = new DecoderPlace(this, _pool.Rent(), _time);
            if (isCounted)
            {
                lock (_gate) _counted.Add(place);
            }

            return new ZstdBlobWriter(place, inner, sizeBytes);
        }
        catch
        {
            if (hasEntered) _places.Release();
            await inner.DisposeAsync();
            throw;
        }
    }

    public void Dispose() => _places.Dispose();

    internal void Return(DecoderPlace place, ZstdDecoder decoder, bool isClean)
    {
        try
        {
            if (isClean) _pool.Return(decoder);
            else decoder.Dispose();
        }
        finally
        {
            bool isCounted;
            lock (_gate) isCounted = _counted.Remove(place);
            if (isCounted) _places.Release();
        }
    }

    private async ValueTask EnterAsync(CancellationToken cancellationToken)
    {
        if (_places.Wait(0, CancellationToken.None)) return;

        using var patience = new CancellationTokenSource(_waitMax, _time);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        // At once and then again and again. Each who waits asks for one place.
        await using var looks = _time.CreateTimer(
            _ => ServingLoop.Serve(RevokeSlowest, bug => Trace.TraceError($"no decoder was taken from a slow upload: {bug}")), null, LookInterval, LookInterval);
        try
        {
            RevokeSlowest();
            await _places.WaitAsync(over.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw StorageErrors.Retriable(
                StatusCode.ResourceExhausted, $"{_inUseMax} compressed uploads are running already; try again", TimeSpan.FromSeconds(1));
        }
    }

    private void RevokeSlowest()
    {
        DecoderPlace? slowest;
        lock (_gate) slowest = _counted.MaxBy(place => place.MissingBytes());
        slowest?.TryRevoke();
    }
}
