using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>The requests of a streaming call, serialised.</summary>
internal sealed class ClientRequestStream<T>(RawClientCall call, Marshaller<T> marshaller) : IClientStreamWriter<T>
{
    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        var flags = WriteOptions?.Flags ?? WriteFlags.None;
        call.Requests.Write(message, marshaller, mayCompress: (flags & WriteFlags.NoCompress) == 0);
        if ((flags & WriteFlags.BufferHint) != 0 || await call.Requests.FlushAsync(cancellationToken)) return;

        // The server has answered early. A failure is told here as well as by the answer; a success is for whoever
        // reads the answer, and what is written after it is not wanted.
        if (!call.IsFinished) throw new RpcException(new Status(StatusCode.Cancelled, "the server has ended the call; its responses say why"));
        if (call.GetStatus().StatusCode != StatusCode.OK) throw new RpcException(call.GetStatus(), call.GetTrailers());
    }

    public async Task CompleteAsync()
    {
        await call.Requests.FlushAsync(CancellationToken.None);
        call.CompleteRequests();
    }
}
