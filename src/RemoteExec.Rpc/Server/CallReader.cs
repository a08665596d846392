using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>A client's messages; what cannot be read fails as a unary request would.</summary>
internal sealed class CallReader<T>(IAsyncStreamReader<T> inner, RpcCall call, CallFailures failures) : IAsyncStreamReader<T>
{
    public T Current => inner.Current;

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        try
        {
            if (!await inner.MoveNext(cancellationToken)) return false;
        }
        catch (Exception failure) when (failure is not OperationCanceledException)
        {
            throw failures.OfRequest(failure, call);
        }

        if (inner.Current is IRpcMessage message) call.ReceivedBytes += message.LengthBytes;
        return true;
    }
}
