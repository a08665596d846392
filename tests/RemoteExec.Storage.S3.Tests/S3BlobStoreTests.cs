using Amazon.Runtime;
using Grpc.Core;
using NUnit.Framework;

namespace RemoteExec.Storage.S3.Tests;

/// <summary>How a bucket is spoken to, and what becomes of its faults.</summary>
public sealed class S3BlobStoreTests
{
    private const int MebiByte = 1 << 20;

    private ManualTime _time = null!;
    private SmallS3 _service = null!;
    private S3BlobStoreOptions _options = null!;
    private S3BlobStore _store = null!;

    [SetUp]
    public async Task CreateStore()
    {
        _time = new ManualTime();
        _service = await SmallS3.StartAsync();
        _service.WrittenAt = () => _time.GetUtcNow();
        _options = new S3BlobStoreOptions { Bucket = SmallS3.Bucket, Endpoint = _service.Address, UsesPathStyle = true, Prefix = "farm/", PartBytes = MebiByte, Time = _time };
        _store = Open(_options);
    }

    [TearDown]
    public async Task DeleteStore()
    {
        _store.Dispose();
        await _service.DisposeAsync();
    }

    [Test]
    public async Task An_object_is_named_by_function_hash_and_size()
    {
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));

        Assert.That(_service.Objects.Keys, Is.EqualTo(new[] { $"farm/cas/sha256/{digest.Hash[..2]}/{digest.Hash}-1000" }));
    }

    [Test]
    public async Task A_small_blob_is_one_request_and_a_large_one_goes_in_parts([Values(1000, 3 * MebiByte + 5)] int sizeBytes)
    {
        byte[] data = Blobs.Of(1, sizeBytes);
        var digest = await _store.PutAsync(data);

        Assert.That(_service.Requests.Count(request => request.StartsWith("PUT", StringComparison.Ordinal)), Is.EqualTo(sizeBytes > MebiByte ? 4 : 1));
        Assert.That(_service.Requests.Count(request => request.StartsWith("POST", StringComparison.Ordinal)), Is.EqualTo(sizeBytes > MebiByte ? 2 : 0));
        Assert.That(await Open(_options).GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task What_was_learnt_is_not_asked_again_for_a_time()
    {
        var present = await _store.PutAsync(Blobs.Of(1, 10));
        var absent = Blobs.DigestOf(Blobs.Of(2, 10));
        using var store = Open(_options);
        for (int i = 0; i < 3; i++) Assert.That(await store.FindMissingAsync([present, absent], default), Is.EqualTo(new[] { absent }));
        Assert.That(Heads(), Is.EqualTo(1 + 2)); // the first is the writer's

        _time.Advance(_options.AbsenceTime);
        Assert.That(await store.FindMissingAsync([present, absent], default), Is.EqualTo(new[] { absent }));
        Assert.That(Heads(), Is.EqualTo(1 + 3), "absence does not last as long");
        _time.Advance(_options.PresenceTime);
        Assert.That(await store.FindMissingAsync([present, absent], default), Is.EqualTo(new[] { absent }));
        Assert.That(Heads(), Is.EqualTo(1 + 5));
    }

    [Test]
    public async Task A_read_that_breaks_off_goes_on_with_the_rest()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = await _store.PutAsync(data);
        _service.BreakReadsAfter.Enqueue(MebiByte);
        _service.BreakReadsAfter.Enqueue(100_000);

        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(Gets(), Is.EqualTo(3));
    }

    [Test]
    public async Task A_read_that_gets_no_further_ends()
    {
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        for (int i = 0; i < 100; i++) _service.BreakReadsAfter.Enqueue(0);

        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await _store.GetAsync(digest))!.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task An_object_that_is_something_else_is_found_out_and_written_again()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        var digest = await _store.PutAsync(data);
        string key = _service.Objects.Keys.Single();
        _service.Objects[key] = [.. data[..^1], (byte)(data[^1] ^ 1)];

        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await _store.GetAsync(digest))!.StatusCode, Is.EqualTo(StatusCode.DataLoss));
        Assert.That(await _store.HasAsync(digest), Is.False);
        Assert.That(await _store.OpenReadAsync(digest, 0, default), Is.Null);

        await _store.PutAsync(data);
        Assert.That(await _store.GetAsync(digest), Is.EqualTo(data));
    }

    [Test]
    public async Task An_object_of_another_size_is_none()
    {
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        _service.Objects[_service.Objects.Keys.Single()] = new byte[999];

        Assert.That(await Open(_options).HasAsync(digest), Is.False);
    }

    [Test]
    public async Task What_the_buckets_rules_delete_soon_counts_as_missing()
    {
        var written = _time.GetUtcNow();
        _service.WrittenAt = () => written;
        var options = _options with { ObjectLifetime = TimeSpan.FromDays(7), Retention = TimeSpan.FromHours(4) };
        var digest = await _store.PutAsync(Blobs.Of(1, 1000));
        _time.Advance(TimeSpan.FromDays(7) - TimeSpan.FromHours(5));
        Assert.That(await Open(options).HasAsync(digest), Is.True);

        _time.Advance(TimeSpan.FromHours(1));
        Assert.That(await Open(options).HasAsync(digest), Is.False);
    }

    [TestCase(403, "InvalidAccessKeyId")]
    [TestCase(400, "XAmzContentSHA256Mismatch")]
    [TestCase(501, "NotImplemented")]
    public async Task A_refusal_is_unavailable_in_words_that_hold_no_secret(int status, string code)
    {
        var digest = Blobs.DigestOf(Blobs.Of(1, 10));
        _service.Failure = (status, code);
        Func<Task>[] all = [async () => await _store.OpenReadAsync(digest, 0, default), async () => await _store.HasAsync(digest), async () => await _store.PutAsync(Blobs.Of(1, 10))];
        foreach (var act in all)
        {
            var refused = Assert.ThrowsAsync<RpcException>(() => act())!;
            Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(refused.Status.Detail, Does.StartWith($"S3 bucket {SmallS3.Bucket}: ").And.Contain(status.ToString(System.Globalization.CultureInfo.InvariantCulture)).And.Not.Contain("SECRETKEY"));
        }

        _service.Failure = null;
        Assert.That(await _store.HasAsync(digest), Is.False);
    }

    [Test]
    public void A_bucket_that_is_not_there_is_no_miss()
    {
        using var store = Open(_options with { Bucket = "another" });
        var digest = Blobs.DigestOf(Blobs.Of(1, 10));

        var refused = Assert.ThrowsAsync<RpcException>(async () => await store.OpenReadAsync(digest, 0, default))!;
        Assert.That((refused.StatusCode, refused.Status.Detail), Is.EqualTo((StatusCode.Unavailable, "S3 bucket another: GET: 404 NoSuchBucket")));
    }

    [Test]
    public async Task A_service_that_is_not_there_is_unavailable()
    {
        await _service.DisposeAsync();

        var refused = Assert.ThrowsAsync<RpcException>(async () => await _store.HasAsync(Blobs.DigestOf(Blobs.Of(1, 10))))!;
        Assert.That(refused.StatusCode, Is.EqualTo(StatusCode.Unavailable));
    }

    [Test]
    public async Task An_upload_in_parts_that_fails_is_taken_back()
    {
        byte[] data = Blobs.Of(1, 3 * MebiByte);
        await using (var writer = await _store.CreateWriterAsync(Blobs.DigestOf(data), default))
        {
            await writer.AppendAsync(data.AsMemory(0, 2 * MebiByte), default);
            Assert.That(_service.UnfinishedUploads, Is.EqualTo(1));
        }

        Assert.That(_service.UnfinishedUploads, Is.Zero);
        Assert.That(_service.Objects, Is.Empty);
    }

    private static S3BlobStore Open(S3BlobStoreOptions options) => new(options, new BasicAWSCredentials("key", "secret"));

    private int Heads() => _service.Requests.Count(request => request.StartsWith("HEAD", StringComparison.Ordinal));

    private int Gets() => _service.Requests.Count(request => request.StartsWith("GET", StringComparison.Ordinal));
}
