namespace RemoteExec.Worker;

/// <summary>Makes connections: the first, and another after each that broke.</summary>
public interface IWorkerConnector
{
    /// <exception cref="Grpc.Core.RpcException">No coordinator answers; the worker tries again later.</exception>
    ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken);
}
