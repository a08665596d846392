using Grpc.Core;
using RemoteExec.Storage;

namespace RemoteExec.Worker.Tests;

/// <summary>A store that lets nobody read before the test says so, and counts.</summary>
internal sealed class GatedStore(IBlobStore inner) : IBlobStore
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _opened;

    /// <summary>Somebody wants to read.</summary>
    public Task Reached => _reached.Task;

    public int Opened => _opened;

    /// <summary>So many reads fail once the gate is open.</summary>
    public int FailuresLeft { get; set; }

    public void Open() => _open.SetResult();

    public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
        inner.FindMissingAsync(digests, cancellationToken);

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        Interlocked.Increment(ref _opened);
        _reached.TrySetResult();
        await _open.Task.WaitAsync(cancellationToken);
        if (FailuresLeft-- > 0) throw new RpcException(new Status(StatusCode.Unavailable, "the first one fails"));
        return await inner.OpenReadAsync(digest, offset, cancellationToken);
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
        inner.CreateWriterAsync(digest, cancellationToken);
}
