using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>Two clients of one coordinator: the first for the stream, which has a backoff of its own; the other for calls, which repeats them.</summary>
internal sealed record CoordinatorClients(WorkerPool.WorkerPoolClient Joining, WorkerPool.WorkerPoolClient Calling);
