using System.Buffers;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Data as it is: offsets count the blob's own bytes, and a broken call can be resumed.</summary>
internal sealed class PlainBlobReceiver(UploadTurn turn, IBlobWriter writer, IServicesObserver observer) : BlobReceiver(turn, writer)
{
    private readonly UploadTurn _turn = turn;
    private readonly GatheredWriter _gathered = new(writer);

    public override long ExpectedOffset => Writer.WrittenBytes + _gathered.HeldBytes;

    protected override long CommittedSize => SizeBytes;

    protected override long EarlySize => SizeBytes;

    protected override async ValueTask TakeDataAsync(ReadOnlySequence<byte> data, CancellationToken cancellationToken)
    {
        // As soon as it is known (REAPI BW7), not when the gathered bytes are handed over.
        if (data.Length > SizeBytes - ExpectedOffset)
            throw Broken(RpcErrors.Invalid($"the upload has more than the {SizeBytes} bytes of its digest"));
        observer.BlobReceived(data.Length, isCompressed: false);
        await _gathered.AppendAsync(data, cancellationToken);
    }

    public override async ValueTask DisposeAsync()
    {
        try
        {
            // The client broke off: what it has sent shall count when it comes back.
            if (!_turn.IsOver) await _gathered.FlushAsync(CancellationToken.None);
        }
        catch (RpcException)
        {
            // The call fails already with a better reason; a store that takes no more makes the upload start again.
            _turn.IsOver = true;
        }
        finally
        {
            _gathered.Dispose();
        }
    }

    protected override ValueTask EndDataAsync(CancellationToken cancellationToken) => _gathered.FlushAsync(cancellationToken);

    protected override ValueTask FlushAsync(CancellationToken cancellationToken) => _gathered.FlushAsync(cancellationToken);
}
