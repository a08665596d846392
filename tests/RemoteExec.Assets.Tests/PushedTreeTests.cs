using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Storage;

namespace RemoteExec.Assets.Tests;

/// <summary>Trees that explode, as what an address stands for (TRUST H7).</summary>
public sealed class PushedTreeTests : AssetFixture
{
    [TestCase(ExplodingTrees.Chain)]
    [TestCase(ExplodingTrees.Files)]
    [TestCase(ExplodingTrees.Paths)]
    public async Task A_tree_that_explodes_is_not_taken(string name) // REAPI S3
    {
        var directories = ExplodingTrees.Make(name);
        await Store.WriteManyAsync([.. directories.Select(each => (each.Digest, (ReadOnlyMemory<byte>)each.Bytes))], default);

        var refused = Assert.ThrowsAsync<RpcException>(() => Fetcher.PushAsync(
            Request(AssetKind.Directory, ["https://a.example/x"]), directories[^1].Digest, [], [], expireAt: null, default).AsTask());

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
        Assert.That((await FetchDirectoryAsync("http://127.0.0.1:9/x")).Failure, Is.Not.Null);
    }
}
