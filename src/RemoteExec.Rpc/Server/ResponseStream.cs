using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>The answers to a client, written as they come.</summary>
internal sealed class ResponseStream<T>(ServerCall call, Marshaller<T> marshaller) : IServerStreamWriter<T>
    where T : class
{
    public WriteOptions? WriteOptions { get; set; }

    public Task WriteAsync(T message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(T message, CancellationToken cancellationToken)
    {
        var flags = (WriteOptions ?? call.WriteOptions)?.Flags ?? WriteFlags.None;
        call.Responses.Write(message, marshaller, mayCompress: (flags & WriteFlags.NoCompress) == 0);
        if ((flags & WriteFlags.BufferHint) != 0) return;
        if (!await call.Responses.FlushAsync(cancellationToken))
            throw new OperationCanceledException("the client has left");
    }
}
