namespace RemoteExec.Storage.Tests;

public sealed class ShardedBlobStoreContractTests : BlobStoreContract
{
    private protected override Task<IBlobStore> CreateStoreAsync() => Task.FromResult<IBlobStore>(new ShardedBlobStore(
        [.. Enumerable.Range(0, 3).Select(i => new BlobNode($"node {i}", new MemoryBlobStore(LimitBytes, TimeSpan.FromHours(4), Time)))], mirror: null));
}
