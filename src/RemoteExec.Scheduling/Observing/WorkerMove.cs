namespace RemoteExec.Scheduling;

/// <summary>A worker has come, gone, or stands elsewhere than before.</summary>
/// <param name="Worker">As it described itself; of a worker that never came back after a restart only the id is known.</param>
/// <param name="From">Equal to <paramref name="To"/> where a new session of it took over.</param>
public sealed record WorkerMove(WorkerDescription Worker, WorkerState From, WorkerState To);
