using Build.Bazel.Remote.Asset.v1;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Grpc.Net.Client;
using RemoteExec.Assets;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Fetch and Push on the wire (REAPI S1, S2, S3). Their rules are tested in RemoteExec.Assets.Tests.</summary>
public sealed class RemoteAssetTests
{
    private const string Unknown = "http://127.0.0.1:9/gone"; // not allowed, so nobody is asked

    private string _folder = "";
    private DiskBlobStore _store = null!;
    private ChunkLists _chunks = null!;
    private AssetFetcher _assets = null!;
    private ServicesComposition _services = null!;
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;
    private ManualTime _time = null!;

    private Fetch.FetchClient Fetch => new(_channel);

    private Push.PushClient Push => new(_channel);

    [SetUp]
    public async Task StartServer()
    {
        _folder = System.IO.Directory.CreateTempSubdirectory("rexec-test-").FullName;
        _time = new ManualTime();
        var retention = TimeSpan.FromHours(4);
        _store = await DiskBlobStore.OpenAsync(new DiskBlobStoreOptions { Directory = Path.Combine(_folder, "cas"), LimitBytes = 64 << 20, Retention = retention }, _time, default);
        _chunks = ChunkLists.Open(new ChunkListsOptions(), _time);
        _assets = new AssetFetcher(new AssetOptions { Directory = Path.Combine(_folder, "assets"), Retention = retention }, _store, _time);
        await StartAsync(new ServicesOptions { ExecutionEnabled = false, AssetPushEnabled = true });
    }

    [TearDown]
    public async Task StopServer()
    {
        await StopAsync();
        await _assets.DisposeAsync();
        _chunks.Dispose();
        await _store.DisposeAsync();
        System.IO.Directory.Delete(_folder, recursive: true);
    }

    [Test]
    public async Task A_pushed_blob_is_fetched_with_its_digest_address_and_time() // REAPI S1, S3
    {
        var blob = await StoreAsync("pushed");
        var expiry = Timestamp.FromDateTimeOffset(_time.GetUtcNow() + TimeSpan.FromHours(1));
        await Push.PushBlobAsync(new PushBlobRequest { Uris = { "https://a.example/x", Unknown }, BlobDigest = blob.ToWire(), ExpireAt = expiry });

        var response = await Fetch.FetchBlobAsync(new FetchBlobRequest { Uris = { Unknown } });

        Assert.That(response.Status.Code, Is.Zero);
        Assert.That((response.Uri, response.BlobDigest, response.ExpiresAt), Is.EqualTo((Unknown, blob.ToWire(), expiry)));
        Assert.That(response.DigestFunction, Is.EqualTo(WireDigestFunction.Sha256), "which is the one when none is named, and is told");
    }

    [Test]
    public async Task A_pushed_directory_is_fetched_by_its_root() // REAPI S1, S3
    {
        var file = await _store.WriteAllAsync(DigestFunction.Blake3, "file"u8.ToArray(), default);
        var directory = new WireDirectory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } };
        var root = await _store.WriteAllAsync(DigestFunction.Blake3, Google.Protobuf.MessageExtensions.ToByteArray(directory), default);
        await Push.PushDirectoryAsync(new PushDirectoryRequest
        {
            Uris = { Unknown }, RootDirectoryDigest = root.ToWire(), DigestFunction = WireDigestFunction.Blake3, Qualifiers = { new Qualifier { Name = "directory", Value = "d" } },
        });

        var response = await Fetch.FetchDirectoryAsync(new FetchDirectoryRequest
        {
            Uris = { Unknown }, DigestFunction = WireDigestFunction.Blake3, Qualifiers = { new Qualifier { Name = "directory", Value = "d" } },
        });

        Assert.That((response.Status.Code, response.RootDirectoryDigest, response.DigestFunction), Is.EqualTo((0, root.ToWire(), WireDigestFunction.Blake3)));
        Assert.That(response.Qualifiers.Select(each => each.Name), Is.EqualTo(new[] { "directory" }));
    }

    [Test]
    public async Task What_an_origin_does_not_give_is_a_status_inside_of_an_answer_that_is_OK() // REAPI S1, S4
    {
        var blob = await Fetch.FetchBlobAsync(new FetchBlobRequest { Uris = { Unknown }, DigestFunction = WireDigestFunction.Sha1 });
        var directory = await Fetch.FetchDirectoryAsync(new FetchDirectoryRequest { Uris = { Unknown } });

        Assert.That((blob.Status.Code, directory.Status.Code), Is.EqualTo(((int)StatusCode.PermissionDenied, (int)StatusCode.PermissionDenied)));
        Assert.That(blob.Status.Message, Does.Contain("--fetch-allow"));
        Assert.That((blob.BlobDigest, directory.RootDirectoryDigest), Is.EqualTo(((WireDigest?)null, (WireDigest?)null)));
        Assert.That((blob.Uri, blob.DigestFunction), Is.EqualTo((Unknown, WireDigestFunction.Sha1)));
    }

    private static IEnumerable<TestCaseData> Invalid() // REAPI S1, S2
    {
        yield return Case("no address", new FetchBlobRequest());
        yield return Case("another scheme", new FetchBlobRequest { Uris = { "file:///etc/passwd" } });
        yield return Case("an instance name that none can have", new FetchBlobRequest { Uris = { Unknown }, InstanceName = "a/blobs" });
        yield return Case("a function that is not computed", new FetchBlobRequest { Uris = { Unknown }, DigestFunction = WireDigestFunction.Murmur3 });
        yield return Case("no time to wait", new FetchBlobRequest { Uris = { Unknown }, Timeout = new Duration() });
        yield return Case("a negative time", new FetchBlobRequest { Uris = { Unknown }, Timeout = new Duration { Seconds = -1 } });
        yield return Case("no duration", new FetchBlobRequest { Uris = { Unknown }, Timeout = new Duration { Seconds = long.MaxValue } });
        yield return Case("no time", new FetchBlobRequest { Uris = { Unknown }, OldestContentAccepted = new Timestamp { Nanos = -1 } });
        yield return Case("an unknown qualifier", new FetchBlobRequest { Uris = { Unknown }, Qualifiers = { new Qualifier { Name = "vcs.tag", Value = "1" } } });
        yield return Case("a qualifier twice", new FetchBlobRequest { Uris = { Unknown }, Qualifiers = { new Qualifier { Name = "resource_type" }, new Qualifier { Name = "resource_type" } } });

        static TestCaseData Case(string name, FetchBlobRequest request) => new TestCaseData(request).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Invalid))]
    public void A_request_that_cannot_be_meant_is_invalid(FetchBlobRequest request)
    {
        var refused = Assert.ThrowsAsync<RpcException>(async () => await Fetch.FetchBlobAsync(request));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refused.ToStatus().Details.Single().Is(Google.Rpc.BadRequest.Descriptor));
    }

    [TestCase(ExplodingTrees.Chain)] // REAPI S3, TRUST H7
    [TestCase(ExplodingTrees.LongChain)]
    [TestCase(ExplodingTrees.Files)]
    [TestCase(ExplodingTrees.Paths)]
    public async Task A_tree_that_explodes_is_not_pushed_nor_referred_to_and_so_not_fetched(string name)
    {
        var directories = ExplodingTrees.Make(name);
        foreach (var some in directories.Chunk(5_000))
            await _store.WriteManyAsync([.. some.Select(each => (each.Digest, (ReadOnlyMemory<byte>)each.Bytes))], default);
        var (root, blob) = (directories[^1].Digest.ToWire(), await StoreAsync("a blob"));

        var pushed = Assert.ThrowsAsync<RpcException>(async () => await Push.PushDirectoryAsync(new PushDirectoryRequest { Uris = { Unknown }, RootDirectoryDigest = root }));
        var referred = Assert.ThrowsAsync<RpcException>(async () =>
            await Push.PushBlobAsync(new PushBlobRequest { Uris = { Unknown }, BlobDigest = blob.ToWire(), ReferencesDirectories = { root } }));

        Assert.That((pushed!.StatusCode, referred!.StatusCode), Is.EqualTo((StatusCode.ResourceExhausted, StatusCode.ResourceExhausted)));
        var fetchedDirectory = await Fetch.FetchDirectoryAsync(new FetchDirectoryRequest { Uris = { Unknown } });
        var fetchedBlob = await Fetch.FetchBlobAsync(new FetchBlobRequest { Uris = { Unknown } });
        Assert.That((fetchedDirectory.RootDirectoryDigest, fetchedBlob.BlobDigest), Is.EqualTo(((WireDigest?)null, (WireDigest?)null)));
    }

    [Test]
    public async Task A_very_long_time_to_wait_is_cut() // REAPI S1
    {
        var response = await Fetch.FetchBlobAsync(new FetchBlobRequest { Uris = { Unknown }, Timeout = Duration.FromTimeSpan(TimeSpan.FromDays(3000)) });

        Assert.That(response.Status.Code, Is.EqualTo((int)StatusCode.PermissionDenied));
    }

    [Test]
    public async Task Nobody_pushes_unless_the_server_trusts_who_reaches_it() // REAPI S3
    {
        var blob = await StoreAsync("pushed");
        await StopAsync();
        await StartAsync(new ServicesOptions { ExecutionEnabled = false });

        var refusedBlob = Assert.ThrowsAsync<RpcException>(async () => await Push.PushBlobAsync(new PushBlobRequest { Uris = { Unknown }, BlobDigest = blob.ToWire() }));
        var refusedDirectory = Assert.ThrowsAsync<RpcException>(async () => await Push.PushDirectoryAsync(new PushDirectoryRequest { Uris = { Unknown }, RootDirectoryDigest = blob.ToWire() }));

        Assert.That((refusedBlob!.StatusCode, refusedDirectory!.StatusCode), Is.EqualTo((StatusCode.PermissionDenied, StatusCode.PermissionDenied)));
        Assert.That(refusedBlob.Status.Detail, Does.Contain("--allow-push"));
        Assert.That((await Fetch.FetchBlobAsync(new FetchBlobRequest { Uris = { Unknown } })).BlobDigest, Is.Null);
    }

    [Test]
    public void A_push_of_what_is_not_stored_names_it() // REAPI S3
    {
        var absent = Digest.Of(DigestFunction.Sha256, "absent"u8);

        var refused = Assert.ThrowsAsync<RpcException>(async () => await Push.PushBlobAsync(new PushBlobRequest { Uris = { Unknown }, BlobDigest = absent.ToWire() }));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(refused.ToStatus().Details.Single().Unpack<Google.Rpc.PreconditionFailure>().Violations.Single().Subject, Is.EqualTo($"blobs/{absent}"));
        Assert.That(Assert.ThrowsAsync<RpcException>(async () => await Push.PushBlobAsync(new PushBlobRequest { Uris = { Unknown } }))!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    private async Task<Digest> StoreAsync(string content) => await _store.WriteAllAsync(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(content), default);

    private async Task StartAsync(ServicesOptions options)
    {
        _services = new ServicesComposition(new ChunkedBlobStore(_store, _chunks), new MemoryActionCache(limitBytes: 1 << 20), scheduler: null, options, _time, _assets);
        _server = await RpcLoopback.StartAsync(_services.Methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
    }

    private async Task StopAsync()
    {
        _channel.Dispose();
        await _server.DisposeAsync();
        await _services.DisposeAsync();
    }
}
