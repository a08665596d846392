using Grpc.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>A worker stream across the network. The call allows one write at a time, and many leases report.</summary>
internal sealed class RpcWorkerConnection(AsyncDuplexStreamingCall<WorkerMessage, CoordinatorMessage> call) : IWorkerConnection
{
    private readonly SemaphoreSlim _writing = new(1);

    public async ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await call.RequestStream.WriteAsync(message, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken) =>
        await call.ResponseStream.MoveNext(cancellationToken) ? call.ResponseStream.Current : null;

    public ValueTask DisposeAsync()
    {
        // Ends the call either way: in good order nothing is left to cancel.
        call.Dispose();
        return ValueTask.CompletedTask;
    }
}
