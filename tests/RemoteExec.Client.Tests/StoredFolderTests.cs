using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Client.Tests;

/// <summary>Folders in a store are told from files by their bytes.</summary>
public sealed class StoredFolderTests
{
    private readonly MemoryBlobStore _store = Stores.Memory();

    [Test]
    public async Task A_Directory_and_what_hangs_below_it_is_a_folder()
    {
        var file = await _store.PutAsync("content");
        var child = await _store.PutAsync(new WireDirectory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } });
        var root = await _store.PutAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = child.ToWire() } } });

        var folder = await OpenAsync(root);

        Assert.That(folder?.Find("d/")?.Message.Files.Single().Name, Is.EqualTo("f"));
        Assert.That(folder?.Find("d/f"), Is.Null, "it is a file");
        Assert.That(folder?.Find("x"), Is.Null);
    }

    [Test]
    public async Task A_Tree_of_a_result_is_a_folder()
    {
        var child = new WireDirectory { Files = { new FileNode { Name = "f", Digest = Digest.Of(DigestFunction.Sha256, "x"u8).ToWire() } } };
        var name = Digest.Of(DigestFunction.Sha256, Google.Protobuf.MessageExtensions.ToByteArray(child));
        var tree = new Tree { Root = new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = name.ToWire() } } }, Children = { child } };

        var folder = await OpenAsync(await _store.PutAsync(tree));

        Assert.That(folder?.Find("d")?.Digest, Is.EqualTo(name));
    }

    [TestCase("text")]
    [TestCase("\n\u0003abc")]
    [TestCase("\u0012\u0000")]
    public async Task Anything_else_is_none(string content) => Assert.That(await OpenAsync(await _store.PutAsync(content)), Is.Null);

    [Test]
    public async Task What_is_not_stored_is_none() => Assert.That(await OpenAsync(Digest.Of(DigestFunction.Sha256, "absent"u8)), Is.Null);

    [Test]
    public async Task A_folder_of_which_a_part_is_absent_is_not_found()
    {
        var absent = Digest.Of(DigestFunction.Sha256, "absent"u8);
        var root = await _store.PutAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = absent.ToWire() } } });

        Assert.That(async () => await OpenAsync(root), Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.NotFound));
    }

    private async Task<StoredFolder?> OpenAsync(Digest digest) => await StoredFolder.TryOpenAsync(_store, digest, CancellationToken.None);
}
