using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>The messages of a client, parsed.</summary>
internal sealed class RequestStream<T>(ServerCall call, Marshaller<T> marshaller) : IAsyncStreamReader<T>
    where T : class
{
    private T? _current;

    public T Current => _current ?? throw new InvalidOperationException("call MoveNext first");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        _current = null;
        if (!await call.Requests.MoveNextAsync(cancellationToken)) return false;
        _current = ReceivedMessage.Parse(call.Requests.Current, marshaller);
        // The message is parsed: the client may have its window back while the handler works.
        call.Requests.Release();
        return true;
    }
}
