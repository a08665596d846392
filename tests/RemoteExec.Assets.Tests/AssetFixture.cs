using System.Security.Cryptography;
using System.Text;
using Build.Bazel.Remote.Asset.v1;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Assets.Tests;

/// <summary>A fetcher on a disk store, and an origin on this machine, which is allowed.</summary>
public abstract class AssetFixture
{
    private protected static readonly TimeSpan Retention = TimeSpan.FromHours(4);

    private TemporaryFolder _folder = null!;

    private protected ManualTime Time { get; private set; } = null!;

    private protected DiskBlobStore Store { get; private set; } = null!;

    private protected HttpOriginServer Origin { get; private set; } = null!;

    private protected AssetFetcher Fetcher { get; set; } = null!;

    private protected AssetOptions Options { get; set; } = null!;

    private protected string SpoolDirectory => _folder.Combine("assets/temp");

    [SetUp]
    public async Task Open()
    {
        _folder = new TemporaryFolder();
        Time = new ManualTime();
        Store = await DiskBlobStore.OpenAsync(new DiskBlobStoreOptions { Directory = _folder.Combine("cas"), LimitBytes = 256 << 20, Retention = Retention }, Time, default);
        Origin = new HttpOriginServer();
        Options = new AssetOptions { Directory = _folder.Combine("assets"), Retention = Retention, Allowed = [Allow("127.0.0.1")] };
        Fetcher = new AssetFetcher(Options, Store, Time);
    }

    [TearDown]
    public async Task Close()
    {
        await Fetcher.DisposeAsync();
        await Origin.DisposeAsync();
        await Store.DisposeAsync();
        _folder.Dispose();
    }

    private protected static FetchAllowance Allow(string text) => FetchAllowance.TryParse(text, out var allowance) ? allowance : throw new ArgumentException(text);

    private protected static string Sri(string content) => "sha256-" + Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(content)));

    private protected async Task ReopenAsync(AssetOptions? options = null)
    {
        await Fetcher.DisposeAsync();
        Fetcher = new AssetFetcher(options ?? Options, Store, Time);
    }

    private protected static AssetRequest Request(AssetKind kind, IReadOnlyList<string> uris, params (string Name, string Value)[] qualifiers)
    {
        var parsed = AssetUris.Parse(uris);
        var wire = qualifiers.Select(each => new Qualifier { Name = each.Name, Value = each.Value }).ToList();
        return new AssetRequest(kind, InstanceName.Empty, DigestFunction.Sha256, parsed, FetchQualifiers.Parse(wire, kind, parsed), null, null);
    }

    private protected Task<AssetAnswer> FetchAsync(AssetRequest request) => Fetcher.FetchAsync(request, default).AsTask();

    private protected Task<AssetAnswer> FetchBlobAsync(string uri, params (string Name, string Value)[] qualifiers) => FetchAsync(Request(AssetKind.Blob, [uri], qualifiers));

    private protected Task<AssetAnswer> FetchDirectoryAsync(string uri, params (string Name, string Value)[] qualifiers) => FetchAsync(Request(AssetKind.Directory, [uri], qualifiers));

    private protected async Task<string> ReadAsync(Digest digest) =>
        Encoding.UTF8.GetString((await Store.ReadAllAsync(digest, 1 << 20, default) ?? throw new AssertionException($"{digest} is not stored")).Span);

    private protected void AssertFailed(AssetAnswer answer, StatusCode code, string? words = null)
    {
        Assert.That(answer.Failure?.StatusCode, Is.EqualTo(code), answer.Failure?.Status.Detail ?? "it did not fail");
        if (words is not null) Assert.That(answer.Failure!.Status.Detail, Does.Contain(words));
        AssertNothingStored();
    }

    private protected void AssertNothingStored()
    {
        Assert.That(Store.Usage.Blobs, Is.Zero);
        AssertNothingSpooled();
    }

    private protected void AssertNothingSpooled() => Assert.That(Directory.EnumerateFileSystemEntries(SpoolDirectory), Is.Empty);

    private protected static void AssertInvalid(Action call, string field)
    {
        var refused = Assert.Throws<RpcException>(call);
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        var violations = refused.ToStatus().Details.Single().Unpack<Google.Rpc.BadRequest>().FieldViolations;
        Assert.That(violations.Select(each => each.Field), Has.All.EqualTo(field));
    }
}
