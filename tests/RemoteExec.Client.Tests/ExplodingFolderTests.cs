using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Client.Tests;

/// <summary>What a server has, or says, is not written where it would fill the disk (TRUST H7).</summary>
public sealed class ExplodingFolderTests
{
    private readonly MemoryBlobStore _store = Stores.Memory();

    [TestCase(ExplodingTrees.Chain, StatusCode.ResourceExhausted)]
    [TestCase(ExplodingTrees.LongChain, StatusCode.ResourceExhausted)]
    [TestCase(ExplodingTrees.Files, StatusCode.ResourceExhausted)]
    [TestCase(ExplodingTrees.Paths, StatusCode.ResourceExhausted)]
    [TestCase(ExplodingTrees.Cycle, StatusCode.InvalidArgument)]
    public void A_folder_that_explodes_is_not_opened(string name, StatusCode expected)
    {
        var directories = ExplodingTrees.Make(name);
        foreach (var (digest, bytes) in directories) _store.PutUnchecked(digest, bytes);

        var refused = Assert.ThrowsAsync<RpcException>(() => StoredFolder.TryOpenAsync(_store, directories[^1].Digest, default).AsTask());

        Assert.That(refused!.StatusCode, Is.EqualTo(expected));
    }

    [Test]
    public async Task A_deep_folder_is_opened_as_long_as_a_path_may_be_so_deep()
    {
        // Two thousand levels from its leaf on.
        var directories = ExplodingTrees.Make(ExplodingTrees.Chain).Take(2_000).ToArray();
        foreach (var (digest, bytes) in directories) _store.PutUnchecked(digest, bytes);

        var folder = await StoredFolder.TryOpenAsync(_store, directories[^1].Digest, default);

        Assert.That(folder?.Directories, Has.Count.EqualTo(directories.Length));
    }

    [TestCase(ExplodingTrees.Files)]
    [TestCase(ExplodingTrees.Paths)]
    public async Task An_output_that_explodes_is_not_written(string name)
    {
        using var folder = new TemporaryFolder();
        var tree = await _store.PutAsync(ExplodingTrees.AsTree(ExplodingTrees.Make(name)));
        var result = new ActionResult { OutputDirectories = { new OutputDirectory { Path = "out", TreeDigest = tree.ToWire() } } };

        var refused = Assert.ThrowsAsync<RpcException>(() => new OutputFetcher(_store, Core.DigestFunction.Sha256).FetchAsync(result, folder.Path, default));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.DataLoss));
        Assert.That(System.IO.Directory.EnumerateFileSystemEntries(folder.Path), Is.Empty);
    }
}
