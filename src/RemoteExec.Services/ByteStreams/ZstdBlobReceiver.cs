using System.Buffers;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Zstd data: the first offset counts the blob's own bytes and later ones add compressed bytes, deliberately odd (REAPI BW3).
/// A decoder cannot be resumed in its middle, so the first offset is always 0.
/// </summary>
internal sealed class ZstdBlobReceiver : BlobReceiver
{
    private readonly UploadTurn _turn;
    private readonly ZstdBlobWriter _zstd;
    private readonly IServicesObserver _observer;
    private readonly GatheredWriter _gathered;
    private long _receivedBytes;

    public ZstdBlobReceiver(UploadTurn turn, IBlobWriter inner, IServicesObserver observer)
        : this(turn, new ZstdBlobWriter(inner, turn.Session.Name.Blob.Digest.SizeBytes), observer)
    {
    }

    private ZstdBlobReceiver(UploadTurn turn, ZstdBlobWriter zstd, IServicesObserver observer)
        : base(turn, zstd)
    {
        _turn = turn;
        _zstd = zstd;
        _observer = observer;
        _gathered = new GatheredWriter(zstd);
    }

    public override long ExpectedOffset => _receivedBytes;

    protected override long CommittedSize => _receivedBytes;

    // How many compressed bytes there would have been, nobody knows (REAPI BW5).
    protected override long EarlySize => -1;

    protected override async ValueTask TakeDataAsync(ReadOnlySequence<byte> data, CancellationToken cancellationToken)
    {
        _receivedBytes += data.Length;
        _observer.BlobReceived(data.Length, isCompressed: true);
        await _gathered.AppendAsync(data, cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        _gathered.Dispose();
        // The decoder takes the writer along: what it has is of no use without the decoder's state.
        _turn.Session.Writer = null;
        await _zstd.DisposeAsync();
    }

    protected override ValueTask EndDataAsync(CancellationToken cancellationToken) => _gathered.FlushAsync(cancellationToken);

    // Nothing to keep for a resumption that cannot be.
    protected override ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
