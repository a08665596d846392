using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>The answers of a streaming call, parsed.</summary>
internal sealed class ClientResponseStream<T>(RawClientCall call, Marshaller<T> marshaller) : IAsyncStreamReader<T>
    where T : class
{
    private T? _current;

    public T Current => _current ?? throw new InvalidOperationException("call MoveNext first");

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        _current = null;
        if (!await call.MoveNextAsync(cancellationToken)) return false;
        try
        {
            _current = ReceivedMessage.Parse(call.Current, marshaller);
        }
        catch (RpcException exception)
        {
            throw call.Fail(exception.Status);
        }

        return true;
    }
}
