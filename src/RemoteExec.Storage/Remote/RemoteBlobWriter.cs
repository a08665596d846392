using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Storage;

/// <summary>One large blob written by ByteStream.Write. The server verifies it; its answer is the commit.</summary>
internal sealed class RemoteBlobWriter(RemoteBlobStore store, Digest digest) : BlobWriter(digest), IResumableBlobWriter
{
    private readonly string _name = store.NewUploadName(digest);
    private readonly Outage _outage = new(store.Options);
    private AsyncClientStreamingCall<WriteRequest, WriteResponse>? _call;
    private bool _isPresent;
    private long _arrivedBytes; // when it was resumed last

    /// <summary>A server that has the blob answers before the end (REAPI BW5).</summary>
    public override bool AlreadyPresent => _isPresent || _call is { ResponseAsync.IsCompletedSuccessfully: true };

    public async ValueTask ResumeAsync(RpcException cut, CancellationToken cancellationToken)
    {
        _call?.Dispose();
        _call = null;
        while (true)
        {
            await _outage.PauseAsync(cancellationToken);
            try
            {
                long? committed = await store.QueryWriteAsync(_name, cancellationToken);
                _isPresent = committed is null;
                Restart(Math.Clamp(committed ?? Digest.SizeBytes, 0, Digest.SizeBytes));
                break;
            }
            catch (RpcException away) when (_outage.MayGoOn(away))
            {
                // Asked again after a pause.
            }
        }

        // A server that answers this but breaks off each upload gets no further for ever.
        if (_isPresent || WrittenBytes > _arrivedBytes) _outage.Over();
        else if (!_outage.MayGoOn(cut)) throw cut;
        _arrivedBytes = WrittenBytes;
    }

    public override ValueTask DisposeAsync()
    {
        _call?.Dispose();
        return ValueTask.CompletedTask;
    }

    protected override async ValueTask TakeAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        for (int start = 0; start < data.Length; start += store.Options.PieceBytes)
        {
            var piece = data.Slice(start, Math.Min(data.Length - start, store.Options.PieceBytes));
            // Copied: the caller has its memory back when this returns, and the call may still hold the message.
            await SendAsync(WrittenBytes + start, ByteString.CopyFrom(piece.Span), isLast: false, cancellationToken);
        }
    }

    protected override async ValueTask StoreAsync(CancellationToken cancellationToken)
    {
        await SendAsync(WrittenBytes, ByteString.Empty, isLast: true, cancellationToken);
        if (_isPresent) return;

        if (!AlreadyPresent) await _call!.RequestStream.CompleteAsync(); // made by the first message
        var response = await _call!.ResponseAsync.WaitAsync(cancellationToken);
        if (response.CommittedSize != Digest.SizeBytes)
        {
            throw StorageErrors.Create(
                StatusCode.Unavailable, $"the server committed {response.CommittedSize} bytes of blob {Digest}");
        }
    }

    private async ValueTask SendAsync(long offset, ByteString data, bool isLast, CancellationToken cancellationToken)
    {
        if (AlreadyPresent) return;

        // REAPI BW1: the name comes with the first message.
        string name = _call is null ? _name : "";
        _call ??= store.Write();
        try
        {
            var request = new WriteRequest { ResourceName = name, WriteOffset = offset, Data = data, FinishWrite = isLast };
            await _call.RequestStream.WriteAsync(request, cancellationToken);
        }
        catch (Exception broken) when (broken is InvalidOperationException or RpcException or IOException)
        {
            await _call.ResponseAsync; // the server has answered: with OK, it has the blob; otherwise this throws the reason
        }
    }
}
