using NUnit.Framework;

namespace RemoteExec.Storage.Tests;

public sealed class MemoryBlobStoreTests : RetentionContract
{
    private protected override BlobStoreUsage Usage => ((MemoryBlobStore)Store).Usage;

    private protected override Task<IBlobStore> CreateStoreAsync() =>
        Task.FromResult<IBlobStore>(new MemoryBlobStore(LimitBytes, Retention, Time));
}
