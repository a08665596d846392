using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Assets.Tests;

/// <summary>REAPI S3: content that callers name, for as long as they say.</summary>
public sealed class PushTests : AssetFixture
{
    private const string Uri = "https://build.example/a";

    [Test]
    public async Task What_was_pushed_is_fetched_by_any_of_its_addresses_also_after_a_restart()
    {
        var blob = await StoreAsync("pushed");
        await PushAsync(Request(AssetKind.Blob, [Uri, "https://mirror.example/a"]), blob);
        await ReopenAsync();

        Assert.That((await FetchBlobAsync("https://mirror.example/a")).Digest, Is.EqualTo(blob));
        Assert.That((await FetchBlobAsync(Uri)).Digest, Is.EqualTo(blob));
    }

    [Test]
    public async Task Another_instance_kind_or_qualifier_does_not_find_it()
    {
        var blob = await StoreAsync("pushed");
        string uri = Origin.UriOf("/gone");
        await PushAsync(Request(AssetKind.Blob, [uri]), blob);
        Assert.That(InstanceName.TryParse("other", out var other, out _));

        Assert.That((await FetchAsync(Request(AssetKind.Blob, [uri]) with { Instance = other })).Failure?.StatusCode, Is.EqualTo(StatusCode.NotFound));
        Assert.That((await FetchDirectoryAsync(uri)).Failure?.StatusCode, Is.EqualTo(StatusCode.NotFound));
        Assert.That((await FetchBlobAsync(uri, ("resource_type", "application/x-tar"))).Failure?.StatusCode, Is.EqualTo(StatusCode.NotFound));
        Assert.That((await FetchBlobAsync(uri)).Digest, Is.EqualTo(blob));
    }

    [Test]
    public async Task A_later_push_replaces_an_earlier_one()
    {
        await PushAsync(Request(AssetKind.Blob, [Uri]), await StoreAsync("one"));
        var two = await StoreAsync("two");
        await PushAsync(Request(AssetKind.Blob, [Uri]), two);

        Assert.That((await FetchBlobAsync(Uri)).Digest, Is.EqualTo(two));
    }

    [Test]
    public async Task After_its_time_it_is_not_answered_any_more()
    {
        var blob = await StoreAsync("pushed");
        string uri = Origin.UriOf("/gone");
        await PushAsync(Request(AssetKind.Blob, [uri]), blob, expireAt: Time.GetUtcNow() + TimeSpan.FromHours(1));

        var answer = await FetchBlobAsync(uri);
        Assert.That((answer.Digest, answer.ExpiresAt), Is.EqualTo((blob, Time.GetUtcNow() + TimeSpan.FromHours(1))));
        Time.Advance(TimeSpan.FromHours(1));

        Assert.That((await FetchBlobAsync(uri)).Failure?.StatusCode, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_directory_is_whole_or_is_not_taken()
    {
        var file = Digest.Of(DigestFunction.Sha256, "file"u8);
        var directory = new WireDirectory { Files = { new Build.Bazel.Remote.Execution.V2.FileNode { Name = "f", Digest = file.ToWire() } } };
        var root = await Store.WriteAllAsync(DigestFunction.Sha256, directory.ToByteArray(), default);

        var refused = Assert.ThrowsAsync<RpcException>(() => PushAsync(Request(AssetKind.Directory, [Uri]), root));
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(refused.ToStatus().Details.Single().Unpack<Google.Rpc.PreconditionFailure>().Violations.Single().Subject, Is.EqualTo($"blobs/{file}"));

        await StoreAsync("file");
        await PushAsync(Request(AssetKind.Directory, [Uri]), root);
        Assert.That((await FetchDirectoryAsync(Uri)).Digest, Is.EqualTo(root));
    }

    [Test]
    public async Task What_it_refers_to_has_to_be_there_and_without_it_it_is_not_answered()
    {
        var (blob, reference) = (await StoreAsync("pushed"), Digest.Of(DigestFunction.Sha256, "reference"u8));
        string uri = Origin.UriOf("/gone");
        var request = Request(AssetKind.Blob, [uri]);
        Assert.That(Assert.ThrowsAsync<RpcException>(() => PushAsync(request, blob, reference))!.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));

        await StoreAsync("reference");
        await PushAsync(request, blob, reference);
        Assert.That((await FetchBlobAsync(uri)).Digest, Is.EqualTo(blob));
        Store.PutAside(reference);

        Assert.That((await FetchBlobAsync(uri)).Failure?.StatusCode, Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_reference_that_is_no_digest_is_invalid()
    {
        var blob = await StoreAsync("pushed");

        var refused = Assert.ThrowsAsync<RpcException>(() => Fetcher.PushAsync(Request(AssetKind.Blob, [Uri]), blob, [new WireDigest { Hash = "x", SizeBytes = 1 }], [], null, default).AsTask());

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task It_and_what_it_refers_to_are_kept_until_the_time_that_its_pusher_named()
    {
        var known = KnownAssets.Open(Options.Directory + "-kept", 10, 1 << 20, new Files.Disk());
        var kept = new KeptStore(Store);
        var (blob, reference) = (await StoreAsync("pushed"), await StoreAsync("reference"));
        known.Add(new Protocol.V1.KnownAsset
        {
            Name = ByteString.CopyFromUtf8("n"), DigestFunction = DigestFunction.Sha256.ToWire(), Digest = blob.ToWire(), ReferencesBlobs = { reference.ToWire() },
            ExpireAt = Google.Protobuf.WellKnownTypes.Timestamp.FromDateTimeOffset(Time.GetUtcNow() + TimeSpan.FromHours(3)),
        });
        using var ending = new CancellationTokenSource();
        var interval = TimeSpan.FromHours(1);
        var keeping = new PushKeeper(known, new AssetContent(kept), interval, Time).RunAsync(ending.Token);

        for (int round = 1; round <= 5; round++)
        {
            await Time.WaitForTimerAsync(interval);
            Assert.That(kept.Asked, Has.Count.EqualTo(2 * Math.Min(round - 1, 2)), "at 1 h and 2 h, and not when it has expired");
            Time.Advance(interval);
        }

        Assert.That(kept.Asked.Distinct(), Is.EquivalentTo(new[] { blob, reference }));
        await ending.CancelAsync();
        await keeping;
        known.Dispose();
    }

    private Task PushAsync(AssetRequest request, Digest digest, Digest? reference = null, DateTimeOffset? expireAt = null) =>
        Fetcher.PushAsync(request, digest, reference is { } blob ? [blob.ToWire()] : [], [], expireAt, default).AsTask();

    private async Task<Digest> StoreAsync(string content) => await Store.WriteAllAsync(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(content), default);

    /// <summary>Remembers what it was asked for.</summary>
    private sealed class KeptStore(IBlobStore inner) : IBlobStore
    {
        public List<Digest> Asked { get; } = [];

        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
        {
            Asked.AddRange(digests);
            return inner.FindMissingAsync(digests, cancellationToken);
        }

        public ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken) => inner.OpenReadAsync(digest, offset, cancellationToken);

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) => inner.CreateWriterAsync(digest, cancellationToken);
    }
}
