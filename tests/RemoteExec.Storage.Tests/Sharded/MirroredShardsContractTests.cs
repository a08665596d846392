namespace RemoteExec.Storage.Tests;

/// <summary>As a server composes them: shards of stores that may be away, in pairs.</summary>
public sealed class MirroredShardsContractTests : BlobStoreContract
{
    private BlobRepairs _repairs = null!;

    private protected override Task<IBlobStore> CreateStoreAsync()
    {
        _repairs = new BlobRepairs(Time);
        var nodes = Enumerable.Range(0, 3).Select(i => new BlobNode($"node {i}", new CircuitBlobStore(
            $"node {i}", new MemoryBlobStore(LimitBytes, TimeSpan.FromHours(4), Time), new CircuitOptions { Time = Time })));
        return Task.FromResult<IBlobStore>(new ShardedBlobStore([.. nodes], (one, other) => new MirroredBlobStore(one, other, _repairs)));
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store) => await _repairs.DisposeAsync();
}
