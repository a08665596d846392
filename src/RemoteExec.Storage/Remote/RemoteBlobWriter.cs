using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>One large blob written by ByteStream.Write. The server verifies it; its answer is the commit.</summary>
internal sealed class RemoteBlobWriter(RemoteBlobStore store, Digest digest) : IBlobWriter
{
    private readonly string _name = store.NewUploadName(digest);
    private readonly AsyncClientStreamingCall<WriteRequest, WriteResponse> _call = store.Write();

    public long WrittenBytes { get; private set; }

    /// <summary>A server that has the blob answers before the end (REAPI BW5).</summary>
    public bool AlreadyPresent => _call.ResponseAsync.IsCompletedSuccessfully;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        if (data.Length > digest.SizeBytes - WrittenBytes)
            throw StorageErrors.Create(StatusCode.InvalidArgument, $"upload of {digest} has more bytes than its digest says");

        for (; data.Length > 0; data = data[Math.Min(data.Length, store.Options.PieceBytes)..])
        {
            var piece = data[..Math.Min(data.Length, store.Options.PieceBytes)];
            // Copied: the caller has its memory back when this returns, and the call may still hold the message.
            await SendAsync(Request(ByteString.CopyFrom(piece.Span), isLast: false), cancellationToken);
            WrittenBytes += piece.Length;
        }
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        if (!AlreadyPresent)
        {
            await SendAsync(Request(ByteString.Empty, isLast: true), cancellationToken);
            if (!AlreadyPresent) await _call.RequestStream.CompleteAsync();
        }

        var response = await _call.ResponseAsync.WaitAsync(cancellationToken);
        if (response.CommittedSize != digest.SizeBytes)
        {
            throw StorageErrors.Create(
                StatusCode.Unavailable, $"the server committed {response.CommittedSize} bytes of blob {digest}");
        }
    }

    public ValueTask DisposeAsync()
    {
        _call.Dispose();
        return ValueTask.CompletedTask;
    }

    // REAPI BW1: the name comes with the first message.
    private WriteRequest Request(ByteString data, bool isLast) => new()
    {
        ResourceName = WrittenBytes == 0 ? _name : "",
        WriteOffset = WrittenBytes,
        Data = data,
        FinishWrite = isLast,
    };

    private async ValueTask SendAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        if (AlreadyPresent) return;
        try
        {
            await _call.RequestStream.WriteAsync(request, cancellationToken);
        }
        catch (Exception broken) when (broken is InvalidOperationException or RpcException or IOException)
        {
            await _call.ResponseAsync; // the server has answered: with OK, it has the blob; otherwise this throws the reason
        }
    }
}
