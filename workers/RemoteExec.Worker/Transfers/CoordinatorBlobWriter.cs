using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>One ByteStream.Write. The server verifies the digest; its answer is the commit.</summary>
internal sealed class CoordinatorBlobWriter(
    AsyncClientStreamingCall<WriteRequest, WriteResponse> call, string resourceName, Digest digest) : IBlobWriter
{
    public long WrittenBytes { get; private set; }

    /// <summary>The server answers before the end when it has the blob already (REAPI BW5).</summary>
    public bool AlreadyPresent => call.ResponseAsync.IsCompletedSuccessfully;

    public async ValueTask AppendAsync(ReadOnlyMemory<byte> data, CancellationToken cancellationToken)
    {
        // Copied: the caller has its buffer back when this returns, and the call may still hold the message.
        var request = new WriteRequest { WriteOffset = WrittenBytes, Data = ByteString.CopyFrom(data.Span) };
        if (WrittenBytes == 0) request.ResourceName = resourceName;
        await SendAsync(request, cancellationToken);
        WrittenBytes += data.Length;
    }

    public async ValueTask CommitAsync(CancellationToken cancellationToken)
    {
        var last = new WriteRequest { WriteOffset = WrittenBytes, FinishWrite = true };
        if (WrittenBytes == 0) last.ResourceName = resourceName;
        await SendAsync(last, cancellationToken);
        if (!AlreadyPresent) await call.RequestStream.CompleteAsync();
        var response = await call.ResponseAsync;
        if (response.CommittedSize != digest.SizeBytes)
        {
            throw RpcErrors.Unavailable(
                $"the coordinator committed {response.CommittedSize} of the {digest.SizeBytes} bytes of {digest}");
        }
    }

    public ValueTask DisposeAsync()
    {
        call.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>A write that fails because the server has answered is no failure; what the answer was, the response tells.</summary>
    private async ValueTask SendAsync(WriteRequest request, CancellationToken cancellationToken)
    {
        if (AlreadyPresent) return;
        try
        {
            await call.RequestStream.WriteAsync(request, cancellationToken);
        }
        catch (Exception broken) when (broken is InvalidOperationException or RpcException or IOException)
        {
            await call.ResponseAsync; // OK: present already. Otherwise this throws the true reason.
        }
    }
}
