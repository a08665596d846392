namespace RemoteExec.Storage.Tests;

/// <summary>A mirrored store of two in memory that can be switched off.</summary>
internal sealed class TwoNodes : IAsyncDisposable
{
    private readonly Func<IBlobStore> _create;

    public TwoNodes(long limitBytes, TimeProvider time)
    {
        _create = () => new MemoryBlobStore(limitBytes, TimeSpan.FromHours(4), time);
        (One, Other) = (new FaultyBlobStore(_create()), new FaultyBlobStore(_create()));
        Repairs = new BlobRepairs(time);
        Store = new MirroredBlobStore(new BlobNode("one", One), new BlobNode("other", Other), Repairs);
    }

    public FaultyBlobStore One { get; }

    public FaultyBlobStore Other { get; }

    public BlobRepairs Repairs { get; }

    public MirroredBlobStore Store { get; }

    /// <summary>It is lost, and comes back empty.</summary>
    public void Lose(FaultyBlobStore node) => node.Inner = _create();

    /// <summary>Completes when every copy that was asked for has been made.</summary>
    public async Task MendedAsync(long copies)
    {
        // Copies are made by tasks of their own; each turn lets them go on.
        while (Repairs.Done < copies || Repairs.Waiting > 0) await Task.Yield();
    }

    public ValueTask DisposeAsync() => Repairs.DisposeAsync();
}
