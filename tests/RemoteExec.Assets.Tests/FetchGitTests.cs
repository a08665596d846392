using System.Diagnostics;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Assets.Tests;

/// <summary>Commits as directories (REAPI S2: vcs.commit, vcs.branch), from a repository that is served as files.</summary>
public sealed class FetchGitTests : AssetFixture
{
    private const string Absent = "0123456789012345678901234567890123456789";

    private TemporaryFolder _repository = null!;
    private string _first = "";

    private string Uri => Origin.UriOf("/r.git");

    [SetUp]
    public async Task MakeRepository()
    {
        if (!System.IO.File.Exists("/usr/bin/git")) Assert.Ignore("this machine has no git");
        _repository = new TemporaryFolder();
        await GitAsync("init", "--quiet", "--initial-branch=main", ".");
        _repository.Write("src/main.c", "one");
        _repository.Write("run", "#!", executable: true);
        _repository.Write("hidden", "x");
        // What an archive would leave out or change by itself.
        _repository.Write(".gitattributes", "hidden export-ignore\nrun text eol=crlf\n");
        await CommitAsync();
        _first = await GitAsync("rev-parse", "HEAD");
        _repository.Write("src/main.c", "second");
        await CommitAsync();
        await GitAsync("update-server-info");
        string git = _repository.Combine(".git");
        foreach (string file in Directory.EnumerateFiles(git, "*", SearchOption.AllDirectories))
            Origin.Serve($"/r.git/{Path.GetRelativePath(git, file)}", await System.IO.File.ReadAllBytesAsync(file));
        Origin.Serve("/r.git/info/refs?service=git-upload-pack", await System.IO.File.ReadAllBytesAsync(Path.Combine(git, "info/refs")));
    }

    [TearDown]
    public void DeleteRepository() => _repository?.Dispose();

    [Test]
    public async Task A_commit_is_a_directory_as_it_was_committed()
    {
        Assert.That(await ReadAsync(await FetchDirectoryAsync(Uri, ("vcs.commit", _first))), Is.EqualTo(new[] { ".gitattributes 39", "hidden 1", "run* 2", "src/main.c 3" }));
        AssertNothingSpooled();
    }

    [Test]
    public async Task A_branch_is_its_newest_commit_and_so_is_a_repository_of_which_nothing_else_is_said()
    {
        var branch = await FetchDirectoryAsync(Uri, ("vcs.branch", "main"));
        var head = await FetchDirectoryAsync(Uri, ("resource_type", "application/x-git"));

        Assert.That(await ReadAsync(branch), Does.Contain("src/main.c 6"));
        Assert.That(head.Digest, Is.EqualTo(branch.Digest));
    }

    [Test]
    public async Task A_folder_of_it_can_be_asked_for() =>
        Assert.That(await ReadAsync(await FetchDirectoryAsync(Uri, ("vcs.commit", _first), ("directory", "src"))), Is.EqualTo(new[] { "main.c 3" }));

    [TestCase("vcs.commit", Absent)]
    [TestCase("vcs.branch", "absent")]
    public async Task What_the_repository_does_not_have_is_not_found(string name, string value) =>
        AssertFailed(await FetchDirectoryAsync(Uri, (name, value)), StatusCode.NotFound);

    [Test]
    public async Task A_repository_that_is_not_there_is_not_found() =>
        AssertFailed(await FetchDirectoryAsync(Origin.UriOf("/none.git"), ("vcs.commit", Absent)), StatusCode.NotFound);

    [Test]
    public async Task An_address_that_is_not_public_is_not_asked()
    {
        await ReopenAsync(Options with { Allowed = [] });

        AssertFailed(await FetchDirectoryAsync(Uri, ("vcs.commit", _first)), StatusCode.PermissionDenied, "--fetch-allow");
        Assert.That(Origin.Requests, Is.Empty);
    }

    [Test]
    public async Task A_name_is_asked_for_once_and_connected_to_where_it_led()
    {
        await ReopenAsync(Options with { Resolve = (_, _) => Task.FromResult(new[] { System.Net.IPAddress.Loopback }) });

        Assert.That((await FetchDirectoryAsync(Origin.UriOf("/r.git", "code.example"), ("vcs.commit", _first))).Failure, Is.Null);
    }

    [Test]
    public async Task A_redirect_is_not_followed()
    {
        Origin.Redirect("/r.git/info/refs?service=git-upload-pack", Origin.UriOf("/elsewhere.git/info/refs?service=git-upload-pack"));

        Assert.That((await FetchDirectoryAsync(Uri, ("vcs.commit", _first))).Failure, Is.Not.Null);
        Assert.That(Origin.Requests, Has.None.Contains("elsewhere"));
    }

    [Test]
    public async Task Headers_go_along()
    {
        await FetchDirectoryAsync(Uri, ("vcs.commit", _first), ("http_header:Authorization", "Bearer secret"));

        Assert.That(Origin.Requests, Has.Count.GreaterThan(1).And.All.Contains("Authorization: Bearer secret"));
    }

    [TestCase("vcs.commit", "main")]
    [TestCase("vcs.commit", "0123456")]
    [TestCase("vcs.commit", "--upload-pack=touch")]
    [TestCase("vcs.branch", "")]
    [TestCase("vcs.branch", "-b")]
    [TestCase("vcs.branch", "a..b")]
    [TestCase("vcs.branch", "a b")]
    [TestCase("vcs.branch", "a:b")]
    [TestCase("vcs.branch", "+a")]
    [TestCase("vcs.branch", "a@{1}")]
    public void What_git_could_take_for_something_else_is_invalid(string name, string value) =>
        AssertInvalid(() => Request(AssetKind.Directory, [Uri], (name, value)), "qualifiers.value");

    [Test]
    public void A_checksum_says_nothing_of_a_repository() =>
        AssertInvalid(() => Request(AssetKind.Directory, [Uri], ("vcs.branch", "main"), ("checksum.sri", Sri("a"))), "qualifiers.name");

    private async Task<List<string>> ReadAsync(AssetAnswer answer)
    {
        Assert.That(answer.Failure?.Status.Detail, Is.Null);
        var lines = new List<string>();
        await foreach (var directory in Store.Walk(new TreeLimits(), DirectoryUse.Input).ExpandAsync(answer.Digest, default))
            lines.AddRange(directory.Message!.Files.Select(file => $"{directory.Join(file.Name)}{(file.IsExecutable ? "*" : "")} {file.Digest.SizeBytes}"));
        lines.Sort(StringComparer.Ordinal);
        return lines;
    }

    private async Task CommitAsync()
    {
        await GitAsync("add", "--all");
        await GitAsync("-c", "user.name=a", "-c", "user.email=a@a.example", "-c", "core.autocrlf=false", "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-m", "c");
    }

    private async Task<string> GitAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo("git", arguments) { WorkingDirectory = _repository.Path, RedirectStandardOutput = true };
        start.Environment["GIT_CONFIG_GLOBAL"] = "/dev/null";
        start.Environment["GIT_CONFIG_NOSYSTEM"] = "1";
        using var process = Process.Start(start)!;
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.That(process.ExitCode, Is.Zero, string.Join(' ', arguments));
        return output.Trim();
    }
}
