using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>Joins over gRPC. With several coordinators each attempt goes to the next: the one that broke is asked last.</summary>
internal sealed class RpcWorkerConnector(IReadOnlyList<CoordinatorClients> coordinators, TimeProvider time) : IWorkerConnector
{
    private int _next;

    public ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var coordinator = coordinators[_next];
        _next = (_next + 1) % coordinators.Count;
        // The call's own life is the connection's: `cancellationToken` speaks of this attempt only, and the
        // first receive tells whether anybody is there.
        return ValueTask.FromResult<IWorkerConnection>(new RpcWorkerConnection(coordinator, time));
    }
}

/// <summary>Two clients of one coordinator: the first for the stream, which has a backoff of its own; the other for calls, which repeats them.</summary>
internal sealed record CoordinatorClients(WorkerPool.WorkerPoolClient Joining, WorkerPool.WorkerPoolClient Calling);
