namespace RemoteExec.Storage.Tests;

/// <summary>It does not matter to a client that what it uploads is cut as it comes.</summary>
public sealed class CutOnArrivalContractTests : BlobStoreContract
{
    private protected override Task<IBlobStore> CreateStoreAsync()
    {
        var inner = new MemoryBlobStore(8 * LimitBytes, TimeSpan.FromHours(4), Time);
        var chunking = new ChunkingOptions { FastCdcAverageBytes = 1 << 10, StoredFromBytes = 100 };
        return Task.FromResult<IBlobStore>(new ChunkedBlobStore(inner, ChunkLists.Open(new ChunkListsOptions(), Time), chunking));
    }
}
