using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using NUnit.Framework.Constraints;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Client.Tests;

/// <summary>Outputs come from a server that may be wrong or hostile.</summary>
public sealed class OutputFetcherTests
{
    private readonly MemoryBlobStore _store = Stores.Memory();
    private readonly TemporaryFolder _folder = new();

    private string Into => _folder.Combine("into");

    [SetUp]
    public void MakeFolder() => System.IO.Directory.CreateDirectory(Into);

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public async Task Files_folders_and_links_arrive_as_the_action_left_them()
    {
        var text = (await _store.PutAsync("text")).ToWire();
        var child = new WireDirectory { Files = { new FileNode { Name = "tool", Digest = text, IsExecutable = true } } };
        var tree = new Tree
        {
            Root = new WireDirectory
            {
                Files = { new FileNode { Name = "plain", Digest = text } },
                Directories = { new DirectoryNode { Name = "sub", Digest = (await _store.PutAsync(child)).ToWire() } },
                Symlinks = { new SymlinkNode { Name = "link", Target = "sub/tool" } },
            },
            Children = { child },
        };
        var result = new ActionResult
        {
            OutputFiles = { new OutputFile { Path = "deep/file", Digest = text, IsExecutable = true } },
            OutputDirectories = { new OutputDirectory { Path = "folder", TreeDigest = (await _store.PutAsync(tree)).ToWire() } },
            OutputSymlinks = { new OutputSymlink { Path = "to", Target = "deep/file" } },
        };

        int files = await FetchAsync(result);

        Assert.Multiple(() =>
        {
            Assert.That(files, Is.EqualTo(3));
            Assert.That(Entries(), Is.EqualTo(new[] { "deep", "deep/file", "folder", "folder/link", "folder/plain", "folder/sub", "folder/sub/tool", "to" }));
            Assert.That(File.ReadAllText(Path.Combine(Into, "to")), Is.EqualTo("text"));
            Assert.That(IsExecutable("deep/file") && IsExecutable("folder/sub/tool") && !IsExecutable("folder/plain"));
            Assert.That(new FileInfo(Path.Combine(Into, "folder/link")).LinkTarget, Is.EqualTo("sub/tool"));
        });
    }

    [Test]
    public async Task A_file_that_is_there_already_is_replaced_even_when_it_is_a_link()
    {
        string outside = _folder.Write("outside", "precious");
        File.CreateSymbolicLink(Path.Combine(Into, "file"), outside);

        await FetchAsync(await FileAsync("file", "new"));

        Assert.That((File.ReadAllText(Path.Combine(Into, "file")), File.ReadAllText(outside)), Is.EqualTo(("new", "precious")));
    }

    [TestCase("/tmp/absolute")]
    [TestCase("../beside")]
    [TestCase("a/../../beside")]
    [TestCase("a//b")]
    [TestCase("a/")]
    public async Task A_path_out_of_the_folder_is_refused_before_anything_is_written(string path)
    {
        var result = await FileAsync("good", "good");
        result.OutputFiles.AddRange((await FileAsync(path, "bad")).OutputFiles);

        Assert.That(async () => await FetchAsync(result), DataLoss());
        Assert.That(_folder.Entries(), Is.EqualTo(new[] { "into" }));
    }

    [Test]
    public async Task A_link_among_the_outputs_does_not_lead_a_later_file_elsewhere()
    {
        var tree = new Tree { Root = new WireDirectory { Symlinks = { new SymlinkNode { Name = "out", Target = _folder.Path } } } };
        var result = await FileAsync("folder/out/file", "escaped");
        result.OutputDirectories.Add(new OutputDirectory { Path = "folder", TreeDigest = (await _store.PutAsync(tree)).ToWire() });

        Assert.That(async () => await FetchAsync(result), Throws.TypeOf<ClientException>().With.Message.Contains("symlink"));
        Assert.That(File.Exists(_folder.Combine("file")), Is.False);
    }

    [Test]
    public async Task A_link_that_was_there_before_does_not_lead_a_file_elsewhere()
    {
        File.CreateSymbolicLink(Path.Combine(Into, "a"), _folder.Path);

        Assert.That(async () => await FetchAsync(await FileAsync("a/file", "escaped")), Throws.TypeOf<ClientException>().With.Message.Contains("symlink"));
        Assert.That(File.Exists(_folder.Combine("file")), Is.False);
    }

    [TestCase("..")]
    [TestCase("a/b")]
    [TestCase("")]
    public async Task A_tree_with_a_name_that_is_none_is_refused(string name)
    {
        var tree = new Tree { Root = new WireDirectory { Files = { new FileNode { Name = name, Digest = (await _store.PutAsync("x")).ToWire() } } } };

        Assert.That(async () => await FetchAsync(await FolderAsync(tree)), DataLoss());
        Assert.That(Entries(), Is.Empty);
    }

    [Test]
    public async Task A_tree_that_lacks_one_of_its_folders_is_refused()
    {
        var tree = new Tree { Root = new WireDirectory { Directories = { new DirectoryNode { Name = "sub", Digest = (await _store.PutAsync("x")).ToWire() } } } };

        Assert.That(async () => await FetchAsync(await FolderAsync(tree)), DataLoss());
    }

    [Test]
    public async Task A_small_tree_that_describes_endless_folders_is_refused()
    {
        // Each folder holds the next one forty times: forty to the power of ten entries in a few kilobytes.
        var tree = new Tree { Root = new WireDirectory() };
        var directory = tree.Root;
        for (int depth = 0; depth < 10; depth++)
        {
            var digest = Digest.Of(DigestFunction.Sha256, Google.Protobuf.MessageExtensions.ToByteArray(directory)).ToWire();
            tree.Children.Add(directory);
            directory = new WireDirectory();
            directory.Directories.AddRange(Enumerable.Range(10, 40).Select(i => new DirectoryNode { Name = $"{i}", Digest = digest }));
        }

        tree.Root = directory;
        var fetcher = new OutputFetcher(_store, DigestFunction.Sha256) { EntriesMax = 1000 };

        Assert.That(async () => await fetcher.FetchAsync(await FolderAsync(tree), Into, default), DataLoss());
        Assert.That(Entries(), Has.Count.LessThan(1000));
    }

    [Test]
    public async Task A_tree_that_is_no_message_is_refused()
    {
        var result = new ActionResult { OutputDirectories = { new OutputDirectory { Path = "folder", TreeDigest = (await _store.PutAsync("\u0001 no Tree")).ToWire() } } };

        Assert.That(async () => await FetchAsync(result), DataLoss());
    }

    [Test]
    public async Task Content_that_is_not_what_its_digest_says_leaves_no_file()
    {
        var result = await FileAsync("file", "asked");
        var liar = new LyingBlobStore(_store, await _store.PutAsync("other"));

        Assert.That(async () => await new OutputFetcher(liar, DigestFunction.Sha256).FetchAsync(result, Into, default), DataLoss());
        Assert.That(Entries(), Is.Empty);
    }

    [Test]
    public void A_digest_that_is_none_is_refused()
    {
        var result = new ActionResult { OutputFiles = { new OutputFile { Path = "file", Digest = new() { Hash = "abc", SizeBytes = 3 } } } };

        Assert.That(async () => await FetchAsync(result), DataLoss());
    }

    [Test]
    public void An_output_that_is_no_longer_stored_is_named()
    {
        var gone = Digest.Of(DigestFunction.Sha256, "gone"u8).ToWire();
        var result = new ActionResult { OutputFiles = { new OutputFile { Path = "file", Digest = gone } } };

        Assert.That(async () => await FetchAsync(result),
            Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.NotFound).And.Message.Contains("file"));
    }

    private static EqualConstraint<StatusCode> DataLoss() =>
        Throws.TypeOf<RpcException>().With.Property("StatusCode").EqualTo(StatusCode.DataLoss);

    private Task<int> FetchAsync(ActionResult result) => new OutputFetcher(_store, DigestFunction.Sha256).FetchAsync(result, Into, default);

    private async Task<ActionResult> FileAsync(string path, string content) =>
        new() { OutputFiles = { new OutputFile { Path = path, Digest = (await _store.PutAsync(content)).ToWire() } } };

    private async Task<ActionResult> FolderAsync(Tree tree) =>
        new() { OutputDirectories = { new OutputDirectory { Path = "folder", TreeDigest = (await _store.PutAsync(tree)).ToWire() } } };

    private List<string> Entries() =>
        [.. System.IO.Directory.EnumerateFileSystemEntries(Into, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Into, path)).Order(StringComparer.Ordinal)];

    private bool IsExecutable(string name) => (File.GetUnixFileMode(Path.Combine(Into, name)) & UnixFileMode.UserExecute) != 0;
}
