using Grpc.Core;
using RemoteExec.Core;

namespace RemoteExec.Storage;

/// <summary>
/// Whether the disk takes what it is given. Each change is told once: a full disk refuses thousands of uploads, and their
/// operator needs one line.
/// </summary>
internal sealed class DiskWriteHealth(Action<string?>? changed, TimeProvider time)
{
    // On a disk that is nearly full small blobs still find room between two large ones that do not.
    private static readonly TimeSpan QuietBeforeHealthy = TimeSpan.FromSeconds(10);

    private readonly Lock _gate = new();
    private volatile string? _fault;
    private DateTimeOffset _failedAt;

    /// <returns>The failure, for the throwing of it.</returns>
    public RpcException Failed(RpcException failure)
    {
        lock (_gate)
        {
            _failedAt = time.GetUtcNow();
            if (_fault is not null) return failure;

            _fault = failure.Status.Detail;
            Observers.Tell(changed, _fault, static (told, fault) => told(fault));
        }

        return failure;
    }

    public void Succeeded()
    {
        if (_fault is null) return;
        lock (_gate)
        {
            if (_fault is null || time.GetUtcNow() - _failedAt < QuietBeforeHealthy) return;

            _fault = null;
            Observers.Tell(changed, 0, static (told, _) => told(null));
        }
    }
}
