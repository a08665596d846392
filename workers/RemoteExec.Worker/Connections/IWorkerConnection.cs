using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// One life of the conversation between a worker and its coordinator (remoteexec/v1/worker.proto), with its three channels: in
/// memory in the all-in-one, RPCs elsewhere.
/// </summary>
public interface IWorkerConnection : IAsyncDisposable
{
    /// <summary>Join, upward: hands a message to the stream, one at a time. Delivery is proved by the coordinator's answers only.</summary>
    /// <exception cref="Grpc.Core.RpcException">The stream is broken.</exception>
    ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken);

    /// <summary>Join, downward: the next message; null when the coordinator has ended the stream in good order.</summary>
    /// <exception cref="Grpc.Core.RpcException">The stream is broken.</exception>
    ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken);

    /// <summary>Report: any number at once.</summary>
    /// <exception cref="Grpc.Core.RpcException">There is no answer, or it was refused.</exception>
    ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken);

    /// <summary>LiveOutput: one piece at a time. After a failure the next piece goes on a call of its own.</summary>
    /// <exception cref="Grpc.Core.RpcException">It was not taken.</exception>
    ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken);
}
