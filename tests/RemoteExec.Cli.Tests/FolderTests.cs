using System.Text.Json.Nodes;

namespace RemoteExec.Cli.Tests;

/// <summary>Folders go in and come back, in whole and in part.</summary>
internal sealed class FolderTests : CliFixture
{
    [SetUp]
    public void WriteFolder()
    {
        Folder.Write("in/a.txt", "a");
        Folder.Write("in/deep/tool", "#!/bin/sh", executable: true);
        File.CreateSymbolicLink(Folder.Combine("in/link"), "a.txt");
        System.IO.Directory.CreateDirectory(Folder.Combine("in/empty"));
    }

    [TestCase("out")]
    [TestCase("out/")]
    public async Task A_folder_that_was_put_comes_back_as_a_folder(string to)
    {
        Assert.That((await RunAsync("get", await PutAsync(), Folder.Combine(to))).ExitCode, Is.EqualTo(Done));

        Assert.Multiple(() =>
        {
            Assert.That(File.ReadAllText(Folder.Combine("out/a.txt")), Is.EqualTo("a"));
            Assert.That(File.GetUnixFileMode(Folder.Combine("out/deep/tool")).HasFlag(UnixFileMode.UserExecute));
            Assert.That(new FileInfo(Folder.Combine("out/link")).LinkTarget, Is.EqualTo("a.txt"));
            Assert.That(System.IO.Directory.Exists(Folder.Combine("out/empty")));
        });
    }

    [Test]
    public async Task A_link_that_was_named_as_the_place_of_a_folder_stays()
    {
        System.IO.Directory.CreateDirectory(Folder.Combine("real"));
        File.CreateSymbolicLink(Folder.Combine("out"), "real");

        Assert.That((await RunAsync("get", await PutAsync(), Folder.Combine("out"))).ExitCode, Is.EqualTo(Done));

        Assert.That(new FileInfo(Folder.Combine("out")).LinkTarget, Is.EqualTo("real"));
        Assert.That(File.Exists(Folder.Combine("real/a.txt")));
    }

    [Test]
    public async Task A_folder_is_a_blob_when_that_is_asked_for()
    {
        string digest = await PutAsync();

        Assert.That((await RunAsync("get", "--raw", digest, Folder.Combine("blob"))).ExitCode, Is.EqualTo(Done));

        Assert.That(new FileInfo(Folder.Combine("blob")).Length, Is.EqualTo(long.Parse(digest.Split('/')[1], System.Globalization.CultureInfo.InvariantCulture)));
    }

    [Test]
    public async Task A_folder_is_listed_by_paths()
    {
        string digest = await PutAsync();

        var all = JsonNode.Parse((await RunAsync("ls", digest, "-R", "--json")).Output)!.AsArray();
        var deep = await RunAsync("ls", digest, "deep", "--format", "csv");

        Assert.That(all.Select(row => $"{row!["path"]} {row["kind"]}"),
            Is.EqualTo(new[] { "a.txt file", "deep directory", "deep/tool executable", "empty directory", "link symlink" }));
        Assert.That(deep.Output, Does.StartWith("path,kind,sizeBytes,digest,target\r\ndeep/tool,executable,9,"));
    }

    [Test]
    public async Task A_file_of_a_folder_is_shown_by_its_path()
    {
        string digest = await PutAsync();

        Assert.That(await RunAsync("cat", digest, "deep/tool"), Is.EqualTo(new CliAnswer(Done, "#!/bin/sh", "")));
        Assert.That((await RunAsync("cat", digest, "deep/absent")).ExitCode, Is.EqualTo(NotFound));
        Assert.That((await RunAsync("cat", digest, "deep")).Error, Does.Contain("is a folder").And.Contain("rexec ls"));
        Assert.That((await RunAsync("cat", digest, "link")).Error, Does.Contain("a link to a.txt"));
    }

    [Test]
    public async Task Standard_output_is_a_hyphen()
    {
        var digest = await Server.PutAsync("data");

        Assert.That(await RunAsync("get", digest.ToString(), "-"), Is.EqualTo(new CliAnswer(Done, "data", "")));
        Assert.That(File.Exists("-"), Is.False);
    }

    [Test]
    public async Task A_file_is_not_written_over_a_folder()
    {
        var digest = await Server.PutAsync("data");

        var answer = await RunAsync("get", digest.ToString(), Folder.Path);

        Assert.That(answer.ExitCode, Is.EqualTo(Usage));
        Assert.That(answer.Error, Does.Contain("name a file in it"));
    }

    [Test]
    public async Task A_folder_of_which_a_part_is_gone_is_not_found()
    {
        // A canonical Directory with a child that nobody stored.
        var child = Digest.Of(DigestFunction.Sha256, "gone"u8);
        var parent = new WireDirectory { Directories = { new Build.Bazel.Remote.Execution.V2.DirectoryNode { Name = "x", Digest = new WireDigest { Hash = child.Hash, SizeBytes = 4 } } } };
        var digest = await Server.PutAsync(Google.Protobuf.MessageExtensions.ToByteArray(parent));

        var answer = await RunAsync("get", digest.ToString(), Folder.Combine("out"));

        Assert.That(answer.ExitCode, Is.EqualTo(NotFound));
        Assert.That(System.IO.Directory.Exists(Folder.Combine("out")), Is.False);
    }

    [Test]
    public async Task A_device_is_no_file()
    {
        var answer = await RunAsync("put", "/dev/zero");

        Assert.That((answer.ExitCode, answer.Error), Is.EqualTo((Usage, "/dev/zero is neither a file nor a folder\n")));
    }

    [Test]
    public async Task What_was_stored_is_told_to_programs()
    {
        var row = JsonNode.Parse((await RunAsync("put", "--json", Folder.Combine("in"))).Output)!;

        Assert.That(((string?)row["kind"], (int?)row["files"], (int?)row["bytes"], (int?)row["sentBlobs"]), Is.EqualTo(("directory", 2, 10, 4)));
    }

    private async Task<string> PutAsync()
    {
        var answer = await RunAsync("put", Folder.Combine("in"));
        Assert.That(answer.ExitCode, Is.EqualTo(Done), answer.Error);
        return answer.Output.TrimEnd('\n');
    }
}
