#pragma warning disable CS0612 // the lists of 2.0 are deprecated on the wire, and some clients know nothing else
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;

namespace RemoteExec.Worker.Tests;

public sealed class OutputCollectorTests
{
    private const DigestFunction Sha256 = DigestFunction.Sha256;

    private TemporaryFolder _folder = null!;
    private FolderBlobStore _store = null!;
    private string _root = null!;

    [SetUp]
    public void MakeRoot()
    {
        _folder = new TemporaryFolder();
        _store = new FolderBlobStore(_folder.Sub("store"));
        _root = _folder.Sub("root");
    }

    [TearDown]
    public void RemoveRoot() => _folder.Dispose();

    [Test]
    public async Task Missing_outputs_are_omitted()
    {
        var result = await CollectAsync(new WireCommand { OutputPaths = { "a", "no/such/dir/b" } });

        Assert.That(result, Is.EqualTo(new ActionResult()));
    }

    [Test]
    public async Task The_executable_bit_travels()
    {
        Write("plain", "1");
        Write("tool", "2", executable: true);

        var result = await CollectAsync(new WireCommand { OutputPaths = { "plain", "tool" } });

        Assert.That(result.OutputFiles.ToDictionary(file => file.Path, file => file.IsExecutable),
            Is.EqualTo(new Dictionary<string, bool> { ["plain"] = false, ["tool"] = true }));
    }

    [Test]
    public async Task Paths_are_relative_to_the_working_directory_and_may_leave_it_inside_the_root()
    {
        Write("beside", "1");
        Write("work/inside", "2");
        var command = new WireCommand { WorkingDirectory = "work", OutputPaths = { "../beside", "inside" } };

        var result = await CollectAsync(command);

        Assert.That(result.OutputFiles.Select(file => file.Path), Is.EqualTo(["../beside", "inside"]));
    }

    [Test]
    public async Task The_empty_directory_path_is_the_whole_working_directory()
    {
        Write("work/file", "1");
        Write("elsewhere", "2");

        var result = await CollectAsync(new WireCommand { WorkingDirectory = "work", OutputDirectories = { "" } });

        var tree = TreeOf(result.OutputDirectories.Single());
        Assert.That(tree.Root.Files.Select(file => file.Name), Is.EqualTo(["file"]));
    }

    [Test]
    public async Task A_tree_names_each_directory_once_with_parents_before_children()
    {
        // `shared` hangs below the root and, equal, below `later`, which comes after it by name.
        Write("tree/a/shared/file", "same");
        Write("tree/z/deeper/shared/file", "same");

        var result = await CollectAsync(new WireCommand { OutputPaths = { "tree" } });

        var output = result.OutputDirectories.Single();
        var tree = TreeOf(output);
        Assert.That(output.IsTopologicallySorted);
        Assert.That(output.RootDirectoryDigest, Is.Null, "it would promise directory blobs that were not asked for");
        var order = tree.Children.Select(DigestOf).ToList();
        Assert.That(order, Is.Unique);
        var seen = new HashSet<Build.Bazel.Remote.Execution.V2.Digest>(tree.Root.Directories.Select(child => child.Digest));
        foreach (var child in tree.Children)
        {
            Assert.That(seen, Does.Contain(DigestOf(child)), "a parent stands before it");
            seen.UnionWith(child.Directories.Select(grandchild => grandchild.Digest));
        }
        foreach (var (child, index) in tree.Children.Select((child, index) => (child, index)))
        {
            foreach (var grandchild in child.Directories)
                Assert.That(order.IndexOf(grandchild.Digest), Is.GreaterThan(index));
        }
    }

    [Test]
    public async Task Equal_directories_give_equal_trees_and_names_are_sorted_by_bytes()
    {
        foreach (string name in new[] { "b", "a", "Z", "é", "10", "9" })
        {
            Write($"one/{name}", "x");
        }
        foreach (string name in new[] { "9", "é", "10", "Z", "a", "b" })
        {
            Write($"two/{name}", "x");
        }

        var result = await CollectAsync(new WireCommand { OutputPaths = { "one", "two" } });

        Assert.That(result.OutputDirectories[0].TreeDigest, Is.EqualTo(result.OutputDirectories[1].TreeDigest));
        Assert.That(TreeOf(result.OutputDirectories[0]).Root.Files.Select(file => file.Name), Is.EqualTo(["10", "9", "Z", "a", "b", "é"]));
    }

    [Test]
    public async Task An_empty_directory_is_a_tree_with_an_empty_root()
    {
        Directory.CreateDirectory(Path.Combine(_root, "empty"));

        var result = await CollectAsync(new WireCommand { OutputPaths = { "empty" } });

        var tree = TreeOf(result.OutputDirectories.Single());
        Assert.That(tree.Root, Is.EqualTo(new WireDirectory()));
        Assert.That(tree.Children, Is.Empty);
    }

    [Test]
    public async Task Directory_blobs_are_stored_beside_the_tree_when_asked_for()
    {
        Write("tree/sub/file", "1");
        var command = new WireCommand
        {
            OutputPaths = { "tree" },
            OutputDirectoryFormat = Command.Types.OutputDirectoryFormat.TreeAndDirectory,
        };

        var result = await CollectAsync(command);

        var output = result.OutputDirectories.Single();
        Assert.That(output.RootDirectoryDigest, Is.EqualTo(DigestOf(TreeOf(output).Root)));
        Assert.That(_store.Has(Parse(output.RootDirectoryDigest)));
        Assert.That(_store.Has(Parse(TreeOf(output).Root.Directories.Single().Digest)));
    }

    [Test]
    public async Task Symlinks_are_reported_as_they_are_in_the_new_list_and_the_old()
    {
        Write("dir/file", "1");
        Link("to-file", "dir/file");
        Link("to-dir", "dir");
        Link("dangling", "nothing");

        var result = await CollectAsync(new WireCommand { OutputPaths = { "to-file", "to-dir", "dangling" } });

        Assert.That(result.OutputSymlinks.Select(link => (link.Path, link.Target)),
            Is.EqualTo([("to-file", "dir/file"), ("to-dir", "dir"), ("dangling", "nothing")]));
        Assert.That(result.OutputFileSymlinks.Select(link => link.Path), Is.EqualTo(["to-file", "dangling"]));
        Assert.That(result.OutputDirectorySymlinks.Select(link => link.Path), Is.EqualTo(["to-dir"]));
    }

    [Test]
    public void A_directory_where_a_file_was_announced_is_a_failed_precondition()
    {
        Directory.CreateDirectory(Path.Combine(_root, "out"));
        AssertRefused(new WireCommand { OutputFiles = { "out" } }, "directory");
    }

    [Test]
    public void A_file_where_a_directory_was_announced_is_a_failed_precondition()
    {
        Write("out", "1");
        AssertRefused(new WireCommand { OutputDirectories = { "out" } }, "file");
    }

    [Test]
    public void A_link_to_a_directory_where_a_file_was_announced_is_a_failed_precondition()
    {
        Directory.CreateDirectory(Path.Combine(_root, "dir"));
        Link("out", "dir");
        AssertRefused(new WireCommand { OutputFiles = { "out" } }, "symbolic link");
    }

    [TestCase("/etc/passwd", "absolute")]
    [TestCase("../../../etc/passwd", "outside")]
    public void A_link_out_of_the_root_is_refused_wherever_it_stands(string target, string why)
    {
        Link("tree/deep/out", target);
        AssertRefused(new WireCommand { OutputPaths = { "tree" } }, why);
        AssertRefused(new WireCommand { OutputPaths = { "tree/deep/out" } }, why);
    }

    [Test]
    public void A_parent_that_became_a_link_is_not_followed()
    {
        string outside = _folder.Sub("outside");
        File.WriteAllText(Path.Combine(outside, "secret"), "host");
        File.CreateSymbolicLink(Path.Combine(_root, "out"), outside);

        AssertRefused(new WireCommand { OutputPaths = { "out/secret" } }, "symbolic link");
        Assert.That(_store.Has(Digest.Of(Sha256, "host"u8)), Is.False);
    }

    [Test]
    public void A_fifo_is_refused_and_never_opened()
    {
        Directory.CreateDirectory(Path.Combine(_root, "tree"));
        Native.MakeFifo(Path.Combine(_root, "tree/pipe"));

        AssertRefused(new WireCommand { OutputPaths = { "tree" } }, "fifo");
        AssertRefused(new WireCommand { OutputPaths = { "tree/pipe" } }, "fifo");
    }

    [Test]
    public void A_name_that_is_no_text_is_refused()
    {
        Directory.CreateDirectory(Path.Combine(_root, "tree"));
        using (var tree = DirectoryHandle.Open(Path.Combine(_root, "tree")))
            tree.TryMakeDirectory(FileName.From([0xc3, 0x28]), Posix.EffectiveUser);

        AssertRefused(new WireCommand { OutputPaths = { "tree" } }, "UTF-8");
    }

    [Test]
    public async Task Names_with_control_characters_are_legal_outputs()
    {
        Write("tree/new\nline\u001b[31m", "1");

        var result = await CollectAsync(new WireCommand { OutputPaths = { "tree" } });

        Assert.That(TreeOf(result.OutputDirectories.Single()).Root.Files.Single().Name, Is.EqualTo("new\nline\u001b[31m"));
    }

    [Test]
    public void Messages_escape_what_an_action_chose_to_call_its_files()
    {
        Directory.CreateDirectory(Path.Combine(_root, "tree"));
        Native.MakeFifo(Path.Combine(_root, "tree/\u001b[2Jcleared"));

        var refused = Assert.ThrowsAsync<RpcException>(() => CollectAsync(new WireCommand { OutputPaths = { "tree" } }));
        Assert.That(refused!.Status.Detail, Does.Contain("\\u001b[2Jcleared").And.Not.Contain("\u001b"));
    }

    private static IEnumerable<TestCaseData> TightLimits()
    {
        static TestCaseData Case(string name, TreeLimits? trees = null, OutputLimits? limits = null) =>
            new TestCaseData(trees ?? new TreeLimits(), limits ?? new OutputLimits()).SetArgDisplayNames(name);
        yield return Case("depth", new TreeLimits { DepthMax = 4 });
        yield return Case("entries", new TreeLimits { EntriesMax = 3 });
        yield return Case("bytes", limits: new OutputLimits { BytesMax = 99 });
        yield return Case("a Tree", new TreeLimits { TreeBytesMax = 100 });
        yield return Case("a Directory", new TreeLimits { DirectoryBytesMax = 70 });
        yield return Case("directories", new TreeLimits { DirectoriesMax = 4 });
        yield return Case("bytes of directories", new TreeLimits { DirectoriesBytesMax = 300 });
    }

    [TestCaseSource(nameof(TightLimits))] // told as the action's failure; its report would be refused by the coordinator
    public void What_is_beyond_a_limit_is_RESOURCE_EXHAUSTED(TreeLimits trees, OutputLimits limits)
    {
        Write("tree/1/2/3/4/file", new string('x', 100));
        var command = new WireCommand
        {
            OutputPaths = { "tree" },
            OutputDirectoryFormat = WireCommand.Types.OutputDirectoryFormat.TreeAndDirectory,
        };

        var refused = Assert.ThrowsAsync<RpcException>(() => CollectAsync(command, limits, trees));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test]
    public async Task What_only_a_walk_would_refuse_is_no_matter_where_a_Tree_was_asked_for()
    {
        Write("tree/1/2/3/4/file", "x");

        var result = await CollectAsync(
            new WireCommand { OutputPaths = { "tree" } }, trees: new TreeLimits { DirectoryBytesMax = 70, DirectoriesMax = 4, DirectoriesBytesMax = 300 });

        Assert.That(TreeOf(result.OutputDirectories.Single()).Children, Has.Count.EqualTo(4));
    }

    [Test] // PATH_MAX counts bytes, and bounds the names of paths, not their making
    public void A_path_that_was_made_step_by_step_and_cannot_be_opened_is_the_actions_own_fault()
    {
        string tree = Path.Combine(_root, "tree");
        Directory.CreateDirectory(tree);
        MakeChain(tree, FileName.From(new string('字', 80)), levels: 18);

        AssertRefused(new WireCommand { OutputPaths = { "tree" } }, "3500 bytes");

        TreeRemover.Remove(_root, FileName.From("tree"), CancellationToken.None); // nothing else could
    }

    [Test]
    public async Task A_file_inside_two_announced_outputs_is_read_once_and_told_twice()
    {
        Write("tree/sub/file", "1", executable: true);

        var result = await CollectAsync(new WireCommand { OutputPaths = { "tree", "tree/sub/file" } });

        Assert.That(result.OutputFiles.Single().IsExecutable);
        Assert.That(TreeOf(result.OutputDirectories.Single()).Children.Single().Files.Single().IsExecutable);
    }

    [Test]
    public async Task An_empty_output_is_the_empty_digest_and_is_not_stored()
    {
        Write("empty", "");

        var result = await CollectAsync(new WireCommand { OutputPaths = { "empty" } });

        Assert.That(result.OutputFiles.Single().Digest, Is.EqualTo(Digest.Empty(Sha256).ToWire()));
    }

    private static Build.Bazel.Remote.Execution.V2.Digest DigestOf(WireDirectory directory) =>
        Digest.Of(Sha256, directory.ToByteArray()).ToWire();

    private static Digest Parse(Build.Bazel.Remote.Execution.V2.Digest wire) => WireDigests.FromWire(wire, Sha256, "digest");

    private static void MakeChain(string path, FileName name, int levels)
    {
        var directory = DirectoryHandle.Open(path);
        for (int i = 0; i < levels; i++)
        {
            directory.TryMakeDirectory(name, Posix.EffectiveUser);
            var below = directory.TryOpenDirectory(name)!; // made a moment ago
            directory.Dispose();
            directory = below;
        }
        directory.Dispose();
    }

    private async Task<ActionResult> CollectAsync(WireCommand wire, OutputLimits? limits = null, TreeLimits? trees = null)
    {
        wire.Arguments.Add("tool");
        byte[] bytes = wire.ToByteArray();
        var command = CommandSpec.Parse(bytes, Digest.Of(Sha256, bytes));
        var result = new ActionResult();
        var collector = new OutputCollector(_store, limits ?? new OutputLimits(), () => trees ?? new TreeLimits(), mayTakeFiles: false);
        var collected = await collector.CollectAsync(_root, command, Sha256, result, CancellationToken.None);
        if (collected.Bad is { } bad) throw bad;
        return result;
    }

    private void AssertRefused(WireCommand command, string word)
    {
        var refused = Assert.ThrowsAsync<RpcException>(() => CollectAsync(command));
        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(refused.Status.Detail, Does.Contain(word));
    }

    private Tree TreeOf(OutputDirectory output) => Tree.Parser.ParseFrom(File.ReadAllBytes(_store.PathOf(Parse(output.TreeDigest))));

    private void Write(string path, string text, bool executable = false)
    {
        string full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.WriteAllText(full, text);
        if (executable) _ = Posix.ChangeMode(full, Permissions.Octal0755);
    }

    private void Link(string path, string target)
    {
        string full = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        File.CreateSymbolicLink(full, target);
    }
}
