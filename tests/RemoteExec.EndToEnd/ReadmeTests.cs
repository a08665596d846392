using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// What the README tells a reader to type is typed here, as it stands there: only addresses, the name of the repository, and folders that are not
/// the test's own are replaced.
/// </summary>
public sealed class ReadmeTests
{
    private const string Address = "127.0.0.1:8980";

    private static readonly TimeSpan EndWithin = TimeSpan.FromMinutes(6);

    // A picture; and how to get the SDK, which BareMachineTests types.
    private static readonly string[] NotRun = ["picture", "sdk"];

    private ServerProcess? _server;

    private ServerProcess Server => _server ?? throw new InvalidOperationException("the server was not started");

    [OneTimeSetUp]
    public async Task StartServerAsync() => _server = await ServerProcess.StartAsync(Lab.NewFolder("server"));

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        if (_server is null) return;
        await using var server = _server;
        await server.StopAsync();
    }

    [Test]
    public void Every_block_is_run_here_or_cannot_be() => Assert.That(
        ReadmeBlock.All.Select(block => block.Name),
        Is.EquivalentTo(["clone", "up", "bazel", "bazelrc", "rexec", "farm", "publish", "config", .. NotRun]));

    [Test]
    public async Task Clone_brings_the_command_that_comes_next()
    {
        string folder = Lab.NewFolder("clone");
        Directory.CreateDirectory(folder);
        // The repository may belong to somebody else than who runs the tests.
        await File.WriteAllTextAsync(Path.Combine(folder, ".gitconfig"), "[safe]\n\tdirectory = *\n");

        string script = ReadmeBlock.Named("clone").Text.Replace("<this repository>", $"'{BuiltPrograms.RepositoryRoot}'", StringComparison.Ordinal);
        await ShellAsync(script + $"test -x {ReadmeBlock.Named("up").Lines.Single()}\n", folder);
    }

    [Test]
    public async Task Up_serves()
    {
        string program = Path.Combine(BuiltPrograms.RepositoryRoot, ReadmeBlock.Named("up").Lines.Single());

        await using var server = await ServerProcess.StartProgramAsync(program, Lab.NewFolder("up"), "--yes");

        await server.StopAsync();
    }

    [Test]
    public async Task The_first_build_runs_remotely_and_after_clean_it_is_all_hits()
    {
        string[] words = Here(ReadmeBlock.Named("bazel").Lines.Single()).Split(' ');
        var bazel = Lab.Bazel(BazelVersion.V4);
        await bazel.CleanAsync();

        (await bazel.RunAsync(words[1], words[2..])).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
        await bazel.CleanAsync();
        var again = (await bazel.RunAsync(words[1], words[2..])).ShouldExitWith(BazelResult.Success);

        Assert.That(again.Processes.RemoteCacheHits, Is.EqualTo(again.Processes.Actions), () => again.Explanation);
    }

    [TestCase("4.2.3")]
    [TestCase("2.1.0")]
    public async Task The_flags_of_bazelrc_leave_what_was_asked_for_so_that_it_runs(string version)
    {
        string[] flags = [.. ReadmeBlock.Named("bazelrc").Lines.Select(line => Here(line.Split('#')[0].Trim()["build ".Length..]))];
        var bazel = Lab.Bazel(Lab.Version(version));
        await bazel.CleanAsync();

        (await bazel.RunAsync("build", [.. flags, "//app:app"])).ShouldExitWith(BazelResult.Success);

        Assert.That(await bazel.HasOutputAsync("app/app"));
        (await bazel.RunAsync("run", [.. flags, "//app:app"])).ShouldExitWith(BazelResult.Success);
    }

    [Test]
    public async Task The_verbs_of_rexec_do_what_is_said()
    {
        await ShellAsync(ReadmeBlock.Named("rexec").Text + "./app || test $? = 42\n", Lab.NewFolder("rexec"));
    }

    [Test]
    public async Task A_farm_is_a_server_that_listens_and_workers_that_join()
    {
        string[] lines = [.. ReadmeBlock.Named("farm").Lines];
        // What it would do is asked and not done: nothing may listen beyond this machine here.
        await ShellAsync($"out/bin/rexec-server {lines[0]["./eng/up".Length..]} --print-config | grep -q '\"0.0.0.0:8980\", // command line'\n", Lab.NewFolder("farm"));

        string[] words = Here(lines[1].Replace("HOST:8980", Address, StringComparison.Ordinal)).Split(' ');
        await using var worker = new ServedProgram(Path.Combine(BuiltPrograms.RepositoryRoot, words[0]), words[1..], Made(Lab.NewFolder("worker")));
        double before = await Server.MetricAsync("remoteexec_pool_slots");
        worker.Start();
        await Eventually.TrueAsync(() => $"16 slots have joined; its lines:\n{worker.Log}", EndWithin, async () =>
            await Server.MetricAsync("remoteexec_pool_slots") >= before + 16);
        await worker.StopAsync();
    }

    [Test]
    public async Task The_configuration_file_is_taken()
    {
        string folder = Made(Lab.NewFolder("config"));
        await File.WriteAllTextAsync(Path.Combine(folder, "server.json"), ReadmeBlock.Named("config").Text);

        string printed = await ShellAsync("out/bin/rexec-server --config server.json --print-config\n", folder);

        Assert.That(printed.Split('\n').Count(line => line.Contains("// server.json line", StringComparison.Ordinal)),
            Is.EqualTo(ReadmeBlock.Named("config").Lines.Count - 2), printed); // without its braces
    }

    [Test]
    public async Task Archives_are_made_and_what_was_installed_from_them_runs_without_a_runtime()
    {
        string folder = Made(Lab.NewFolder("publish"));
        string script = ReadmeBlock.Named("publish").Text
            .Replace("./eng/", $"{BuiltPrograms.RepositoryRoot}/eng/", StringComparison.Ordinal)
            .Replace(" /opt/rexec", $" {folder}/opt/rexec", StringComparison.Ordinal)
            .Replace(" /etc/systemd/system", $" {folder}/units", StringComparison.Ordinal)
            .Replace(" out/publish/", $" {BuiltPrograms.RepositoryRoot}/out/publish/", StringComparison.Ordinal);

        await ShellAsync(
            script
            + $"(cd {BuiltPrograms.RepositoryRoot}/out/publish && sha256sum --check --quiet rexec-*.sha256)\n"
            // A folder without a runtime, and no word of where one could be: what does not bring its own ends here.
            + $"for program in rexec-server rexec-worker rexec; do env -i PATH=/nowhere DOTNET_ROOT=/nowhere {folder}/opt/rexec/$program --version; done\n"
            + $"test -x {folder}/opt/rexec/rexec-sandbox\n"
            + $"grep -q ExecStart={folder}/opt/rexec/rexec-server {folder}/units/rexec-server.service\n",
            folder);
    }

    private static string Made(string folder) => Directory.CreateDirectory(folder).FullName;

    private string Here(string text) => text.Replace(Address, Server.GrpcAddress, StringComparison.Ordinal);

    /// <summary>Types it in a folder of its own, from which out/bin is that of the repository, and answers what it printed.</summary>
    private async Task<string> ShellAsync(string script, string folder)
    {
        Directory.CreateDirectory(Path.Combine(folder, "out"));
        string programs = Path.Combine(folder, "out/bin");
        if (!Path.Exists(programs)) File.CreateSymbolicLink(programs, Path.Combine(BuiltPrograms.RepositoryRoot, "out/bin"));
        var environment = new Dictionary<string, string?>
        {
            ["HOME"] = folder,
            ["REXEC_SERVER"] = $"grpc://{Server.GrpcAddress}",
            [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value,
        };
        await using var shell = ChildProcess.Start("/bin/bash", ["-euo", "pipefail", "-c", Here(script)], folder, environment);
        int exitCode = await shell.Exited.WaitAsync(EndWithin);
        Assert.That(exitCode, Is.Zero, $"{script}\n{shell.Output}");
        return shell.Output.ToString();
    }
}
