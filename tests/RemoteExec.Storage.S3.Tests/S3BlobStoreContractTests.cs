using Amazon.Runtime;

namespace RemoteExec.Storage.S3.Tests;

/// <summary>A bucket keeps what any store promises.</summary>
public sealed class S3BlobStoreContractTests : BlobStoreContract
{
    private SmallS3 _service = null!;

    private protected override bool KnowsPresenceAtOnce => false;

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        _service = await SmallS3.StartAsync();
        return new S3BlobStore(
            new S3BlobStoreOptions { Bucket = SmallS3.Bucket, Endpoint = _service.Address, UsesPathStyle = true, PartBytes = 1 << 20, Time = Time },
            new BasicAWSCredentials("key", "secret"));
    }

    private protected override Task NothingIsLeftAsync()
    {
        NUnit.Framework.Assert.That(_service.Objects, NUnit.Framework.Is.Empty);
        NUnit.Framework.Assert.That(_service.UnfinishedUploads, NUnit.Framework.Is.Zero);
        return Task.CompletedTask;
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store)
    {
        ((S3BlobStore)store).Dispose();
        await _service.DisposeAsync();
    }
}
