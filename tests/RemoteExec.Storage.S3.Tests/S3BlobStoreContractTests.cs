using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using NUnit.Framework;

namespace RemoteExec.Storage.S3.Tests;

/// <summary>A bucket keeps what any store promises: of the small service, or of the real one that REXEC_S3_ENDPOINT names (eng/s3).</summary>
public sealed class S3BlobStoreContractTests : BlobStoreContract
{
    private static readonly Uri? RealEndpoint = Environment.GetEnvironmentVariable("REXEC_S3_ENDPOINT") is { } endpoint ? new Uri(endpoint) : null;

    // A real service takes no smaller ones.
    private static readonly int PartBytes = RealEndpoint is null ? 1 << 20 : 5 << 20;

    private SmallS3? _service;

    private protected override bool KnowsPresenceAtOnce => false;

    [Test]
    public async Task A_blob_of_many_parts_is_read_back_from_anywhere()
    {
        byte[] data = Blobs.Of(1, (3 * PartBytes) + 5);
        var digest = await Store.PutAsync(data);

        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
        await using var reader = (await Store.OpenReadAsync(digest, data.Length - 10, default))!;
        byte[] rest = new byte[20];
        Assert.That(await reader.ReadAsync(rest, default), Is.EqualTo(10));
        Assert.That(rest.AsSpan(0, 10).SequenceEqual(data.AsSpan(data.Length - 10)), Is.True);
    }

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        if (RealEndpoint is null) _service = await SmallS3.StartAsync();
        else await CreateBucketAsync(RealEndpoint);
        return new S3BlobStore(
            new S3BlobStoreOptions
            {
                Bucket = SmallS3.Bucket,
                Endpoint = RealEndpoint ?? _service!.Address, // started when there is none
                UsesPathStyle = true,
                Prefix = $"{Guid.NewGuid()}/",
                PartBytes = PartBytes,
                Time = Time,
            },
            RealEndpoint is null ? new BasicAWSCredentials("key", "secret") : null);
    }

    private protected override Task NothingIsLeftAsync()
    {
        if (_service is null) return Task.CompletedTask;
        Assert.That(_service.Objects, Is.Empty);
        Assert.That(_service.UnfinishedUploads, Is.Zero);
        return Task.CompletedTask;
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store)
    {
        ((S3BlobStore)store).Dispose();
        if (_service is not null) await _service.DisposeAsync();
        _service = null;
    }

    private static async Task CreateBucketAsync(Uri endpoint)
    {
        using var client = new AmazonS3Client(new AmazonS3Config { ServiceURL = endpoint.AbsoluteUri, ForcePathStyle = true, AuthenticationRegion = "us-east-1" });
        await client.PutBucketAsync(new PutBucketRequest { BucketName = SmallS3.Bucket });
    }
}
