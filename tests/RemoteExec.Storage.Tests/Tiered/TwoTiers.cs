namespace RemoteExec.Storage.Tests;

/// <summary>A disk with a store in memory behind it that can be switched off.</summary>
internal sealed class TwoTiers : IAsyncDisposable
{
    private readonly Scratch _scratch = new();
    private readonly ManualTime _time;
    private readonly long _limitBytes;

    public TwoTiers(long limitBytes, ManualTime time)
    {
        (_limitBytes, _time) = (limitBytes, time);
        Memory = new MemoryBlobStore(1 << 30, TimeSpan.FromHours(4), time);
        Far = new FaultyBlobStore(Memory);
    }

    public MemoryBlobStore Memory { get; }

    public FaultyBlobStore Far { get; }

    public DiskBlobStore Disk { get; private set; } = null!;

    public WriteBehind Behind { get; private set; } = null!;

    public TieredBlobStore Store { get; private set; } = null!;

    public int WaitingMax { get; init; } = 1000;

    public IBlobStoreObserver? DiskObserver { get; init; }

    /// <summary>Of blobs and queue alike.</summary>
    public IDisk? FlushedDisk { get; init; }

    public string QueuePath => _scratch.Sub("behind/behind.log");

    public async Task OpenAsync()
    {
        Disk = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = _scratch.Sub("cas"), LimitBytes = _limitBytes, Retention = TimeSpan.FromHours(4), Observer = DiskObserver, Disk = FlushedDisk ?? new Disk() }, _time, default);
        Behind = WriteBehind.Start(new WriteBehindOptions { Directory = _scratch.Sub("behind"), WaitingMax = WaitingMax, Time = _time, Disk = FlushedDisk }, Disk, Far);
        Store = new TieredBlobStore(Disk, Far, Behind, _time);
    }

    public async Task CloseAsync()
    {
        await Store.DisposeAsync();
        await Behind.DisposeAsync();
        await Disk.DisposeAsync();
    }

    /// <summary>As a kill leaves it: nothing is said to anybody. The descriptors go, as the kernel would see to.</summary>
    public Task KillAsync() => CloseAsync();

    /// <summary>Completes when nothing waits any more.</summary>
    public async Task BroughtAsync()
    {
        // By tasks of its own; each turn lets them go on.
        while (Behind.Waiting > 0) await Task.Yield();
    }

    /// <summary>The disk forgets a blob, as eviction does.</summary>
    public void Forget(Digest digest) => Disk.PutAside(digest);

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _scratch.Dispose();
    }
}
