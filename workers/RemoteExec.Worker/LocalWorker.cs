using Microsoft.Extensions.Logging;
using RemoteExec.Storage;
using RemoteExec.Worker.Sandbox;

namespace RemoteExec.Worker;

/// <summary>
/// A whole worker inside this process: what <c>rexec-worker</c> runs alone and the all-in-one runs beside its
/// coordinator.
/// </summary>
public sealed class LocalWorker : IAsyncDisposable
{
    private readonly WorkerLoop _loop;
    private readonly WorkDirectories _workDirectories;
    private readonly LiveOutputs _liveOutputs;
    private readonly IAsyncDisposable? _launcher;

    internal LocalWorker(
        WorkerLoop loop, WorkDirectories workDirectories, LiveOutputs liveOutputs, IAsyncDisposable? launcher,
        IReadOnlyList<SandboxWall> walls) =>
        (_loop, _workDirectories, _liveOutputs, _launcher, Walls) = (loop, workDirectories, liveOutputs, launcher, walls);

    /// <summary>What stands around every action, and what does not and why.</summary>
    public IReadOnlyList<SandboxWall> Walls { get; }

    /// <summary>Probes the sandbox, empties <c>work/</c>, and composes the rooms.</summary>
    /// <param name="local">The store that inputs are linked from, on the file system of the data directory.</param>
    /// <param name="remote">Where inputs come from and outputs go to; null when <paramref name="local"/> is that itself.</param>
    /// <exception cref="WorkerRefusedException">The sandbox is required and this kernel cannot build it.</exception>
    public static Task<LocalWorker> CreateAsync(
        WorkerOptions options, ILocalBlobStore local, IBlobStore? remote, IWorkerConnector connector,
        TimeProvider time, ILoggerFactory logs, CancellationToken cancellationToken) =>
        CreateAsync(options, local, remote, connector, metrics: null, time, logs, cancellationToken);

    /// <param name="metrics">Counts attempts; null where nobody reads that.</param>
    internal static Task<LocalWorker> CreateAsync(
        WorkerOptions options, ILocalBlobStore local, IBlobStore? remote, IWorkerConnector connector, WorkerMetrics? metrics,
        TimeProvider time, ILoggerFactory logs, CancellationToken cancellationToken) =>
        WorkerComposition.ComposeAsync(options, local, remote, connector, metrics, time, logs, cancellationToken);

    /// <summary>Takes leases until <paramref name="drain"/> is cancelled and everything held has been reported.</summary>
    /// <exception cref="Grpc.Core.RpcException">The coordinator refuses this worker for good.</exception>
    public Task RunAsync(CancellationToken drain) => RunAsync(drain, CancellationToken.None);

    /// <param name="hurry">Cancelled when a drain has to end: what runs is stopped and given back.</param>
    public Task RunAsync(CancellationToken drain, CancellationToken hurry) => _loop.RunAsync(drain, hurry);

    public async ValueTask DisposeAsync()
    {
        if (_launcher is not null) await _launcher.DisposeAsync();
        await _liveOutputs.DisposeAsync();
        await _workDirectories.DisposeAsync();
    }
}
