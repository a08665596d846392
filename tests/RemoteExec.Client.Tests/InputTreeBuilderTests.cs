using System.Diagnostics;
using Build.Bazel.Remote.Execution.V2;
using RemoteExec.Protocol;

namespace RemoteExec.Client.Tests;

/// <summary>A folder as a Merkle tree of Directory messages (REAPI Directory).</summary>
public sealed class InputTreeBuilderTests
{
    private readonly TemporaryFolder _folder = new();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public async Task Names_are_sorted_by_their_bytes()
    {
        // In UTF-16 order the emoji (a surrogate pair) would stand before U+FF5E.
        string[] sorted = ["B", "_", "a", "a.b", "a0", "z", "\u00e9", "\uff5e", "\U0001f600"];
        foreach (string name in sorted.Reverse()) _folder.Write(name, name);

        var root = await RootAsync();

        Assert.That(root.Files.Select(file => file.Name), Is.EqualTo(sorted));
        Assert.That(DirectoryChecks.Check(root, DigestFunction.Sha256, allowAbsoluteSymlinks: false), Is.Null);
    }

    [Test]
    public async Task The_same_content_has_the_same_digest_wherever_it_lies()
    {
        using var other = new TemporaryFolder();
        foreach (var folder in new[] { _folder, other })
        {
            folder.Write("lib/x.txt", "x");
            folder.Write("main", "#!/bin/sh", executable: true);
        }

        Assert.That((await BuildAsync(_folder.Path)).Root, Is.EqualTo((await BuildAsync(other.Path)).Root));
    }

    [Test]
    public async Task The_executable_bit_is_kept()
    {
        _folder.Write("plain", "1");
        _folder.Write("tool", "2", executable: true);

        Assert.That((await RootAsync()).Files.Select(file => (file.Name, file.IsExecutable)), Is.EqualTo(new[] { ("plain", false), ("tool", true) }));
    }

    [Test]
    public async Task Links_stay_links_whatever_they_point_to()
    {
        _folder.Write("real/file", "content");
        File.CreateSymbolicLink(_folder.Combine("to-file"), "real/file");
        File.CreateSymbolicLink(_folder.Combine("to-folder"), "real");
        File.CreateSymbolicLink(_folder.Combine("to-nothing"), "../absent");
        File.CreateSymbolicLink(_folder.Combine("to-itself"), "to-itself");

        var root = await RootAsync();

        Assert.That(root.Symlinks.Select(link => (link.Name, link.Target)), Is.EqualTo(new[]
        {
            ("to-file", "real/file"), ("to-folder", "real"), ("to-itself", "to-itself"), ("to-nothing", "../absent"),
        }));
        Assert.That(root.Directories.Select(child => child.Name), Is.EqualTo(new[] { "real" }));
    }

    [Test]
    public async Task Every_blob_of_the_tree_is_there_once()
    {
        _folder.Write("a/same", "twice");
        _folder.Write("b/same", "twice");

        var tree = await BuildAsync(_folder.Path);

        // One file, one folder that is both a and b, and the root.
        Assert.That((tree.Blobs.Count, tree.Files, tree.Bytes), Is.EqualTo((3, 2L, 10L)));
        Assert.That(tree.Blobs.Select(blob => blob.Digest), Does.Contain(tree.Root));
    }

    [Test]
    public async Task A_pipe_is_refused_by_name_and_not_opened()
    {
        // Opening it would wait for a writer for ever.
        using (var mkfifo = Process.Start("mkfifo", [_folder.Combine("pipe")]))
            await mkfifo.WaitForExitAsync();

        Assert.That(async () => await BuildAsync(_folder.Path), Throws.TypeOf<ClientException>().With.Message.Contains("pipe"));
    }

    [Test]
    public void A_folder_that_is_not_there_is_named_with_the_remedy()
    {
        Assert.That(async () => await BuildAsync(_folder.Combine("absent")),
            Throws.TypeOf<ClientException>().With.Message.Contains("absent").And.Message.Contains("-i"));
    }

    [Test]
    public async Task A_name_that_is_not_UTF8_is_refused_and_one_that_looks_so_is_taken()
    {
        _folder.Write("looks\uFFFD", "x");
        Assert.That((await RootAsync()).Files.Single().Name, Is.EqualTo("looks\uFFFD"));

        await ShellAsync("printf x > \"$(printf 'bad\\377')\"");
        try
        {
            Assert.That(async () => await BuildAsync(_folder.Path),
                Throws.TypeOf<ClientException>().With.Message.StartsWith(_folder.Combine("bad")).And.Message.Contains("not UTF-8"));
        }
        finally
        {
            // The base library cannot remove what it cannot name.
            await ShellAsync("rm -f bad*");
        }
    }

    [Test]
    public void An_absolute_link_is_refused_by_its_path_where_the_server_would_refuse_it()
    {
        _folder.Write("deep/file", "x");
        File.CreateSymbolicLink(_folder.Combine("deep/link"), "/etc/hosts");

        Assert.That(async () => await InputTreeBuilder.BuildAsync(new InputSources { Folders = [_folder.Path] }, DigestFunction.Sha256, CancellationToken.None),
            Throws.TypeOf<ClientException>().With.Message.StartsWith(_folder.Combine("deep/link")).And.Message.Contains("/etc/hosts"));
    }

    [Test]
    public void A_file_that_two_folders_have_is_refused()
    {
        _folder.Write("one/x", "1");
        _folder.Write("two/x", "2");
        var sources = new InputSources { Folders = [_folder.Combine("one"), _folder.Combine("two")] };

        Assert.That(async () => await InputTreeBuilder.BuildAsync(sources, DigestFunction.Sha256, CancellationToken.None),
            Throws.TypeOf<ClientException>().With.Message.Contains("also in another input folder"));
    }

    [Test]
    public async Task A_file_that_is_added_stands_in_its_place_among_the_names()
    {
        foreach (string name in new[] { "a", "c" }) _folder.Write(name, name);
        var sources = new InputSources { Folders = [_folder.Path], Files = [new("b", LocalBlob.OfBytes(DigestFunction.Sha256, "b"u8.ToArray()))] };

        var tree = await InputTreeBuilder.BuildAsync(sources, DigestFunction.Sha256, CancellationToken.None);

        var root = tree.Blobs.Single(blob => blob.Digest == tree.Root);
        Assert.That(root.TryGetBytes(out var bytes), Is.True);
        Assert.That(WireDirectory.Parser.ParseFrom(bytes.Span).Files.Select(file => file.Name), Is.EqualTo(new[] { "a", "b", "c" }));
    }

    private async Task ShellAsync(string script)
    {
        using var shell = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", script]) { WorkingDirectory = _folder.Path });
        await shell!.WaitForExitAsync(); // it was just started
    }

    private static Task<InputTree> BuildAsync(string folder) => InputTreeBuilder.BuildAsync(folder, DigestFunction.Sha256, CancellationToken.None);

    private async Task<WireDirectory> RootAsync()
    {
        var tree = await BuildAsync(_folder.Path);
        Assert.That(tree.Blobs.Single(blob => blob.Digest == tree.Root).TryGetBytes(out var bytes));
        return WireDirectory.Parser.ParseFrom(bytes.Span);
    }
}
