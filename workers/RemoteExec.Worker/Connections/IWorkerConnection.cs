using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// One life of the stream between a worker and its coordinator (remoteexec/v1/worker.proto, WorkerPool.Join):
/// in memory in the all-in-one, an RPC elsewhere. Sends may come from several leases at once.
/// </summary>
public interface IWorkerConnection : IAsyncDisposable
{
    /// <summary>Hands a message to the stream. Delivery is proved by the coordinator's answers only.</summary>
    /// <exception cref="Grpc.Core.RpcException">The stream is broken.</exception>
    ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken);

    /// <summary>The next message; null when the coordinator has ended the stream in good order.</summary>
    /// <exception cref="Grpc.Core.RpcException">The stream is broken.</exception>
    ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken);
}
