namespace RemoteExec.Storage.Tests;

/// <summary>The store of chunks keeps what any store promises, for blobs that are not chunked. Those that are: <see cref="CutOnArrivalContractTests"/>.</summary>
public sealed class ChunkedBlobStoreContractTests : RetentionContract
{
    private MemoryBlobStore _inner = null!;

    private protected override BlobStoreUsage Usage => _inner.Usage;

    private protected override Task<IBlobStore> CreateStoreAsync()
    {
        _inner = new MemoryBlobStore(LimitBytes, Retention, Time);
        return Task.FromResult<IBlobStore>(new ChunkedBlobStore(_inner, ChunkLists.Open(new ChunkListsOptions(), Time)));
    }
}
