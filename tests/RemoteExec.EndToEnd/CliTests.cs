using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary><c>rexec</c>, as a script uses it: what it prints, what it fetches, how it exits.</summary>
public sealed class CliTests
{
    private const int Done = 0, CommandFailed = 1, Usage = 2, NotFound = 3, Unavailable = 5, Interrupted = 130, Terminated = 143;

    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(60);

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
    public async Task Run_sends_inputs_shows_output_and_fetches_results()
    {
        string inputs = NewFolder(("in.txt", "from here\n"));
        string into = NewFolder();

        var (exitCode, output, answer) = await RunAsync(
            "run", "-i", inputs, "-o", "deep/out.txt", "--into", into, "--",
            "/bin/sh", "-c", "mkdir -p deep && cat in.txt > deep/out.txt && echo to stdout && echo to stderr >&2");

        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.EqualTo(Done), () => output);
            Assert.That(answer, Is.EqualTo("to stdout\n"));
            Assert.That(output, Does.Contain("to stderr"));
            Assert.That(File.ReadAllText(Path.Combine(into, "deep/out.txt")), Is.EqualTo("from here\n"));
        });
    }

    [Test] // as daemons start programs
    public async Task Run_without_a_standard_input_sends_none()
    {
        await using var process = ChildProcess.Start(
            "/bin/sh", ["-c", "exec \"$0\" run -- echo hi <&-", BuiltPrograms.Cli], "/", new Dictionary<string, string?>
            {
                [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value,
                ["REXEC_SERVER"] = $"grpc://{Server.GrpcAddress}",
            });

        Assert.That(await process.Exited.WaitAsync(EndWithin), Is.EqualTo(Done), process.Output.ToString);
        Assert.That(process.StandardOutput.ToString(), Is.EqualTo("hi\n"));
    }

    [Test]
    public async Task Run_fetches_a_folder_with_its_links_and_its_empty_folders()
    {
        string into = NewFolder();

        var (exitCode, output, _) = await RunAsync("run", "-o", "tree", "--into", into, "--",
            "/bin/sh", "-c", "mkdir -p tree/empty tree/a && echo x > tree/a/file && chmod +x tree/a/file && ln -s a/file tree/link");

        Assert.Multiple(() =>
        {
            Assert.That(exitCode, Is.EqualTo(Done), () => output);
            Assert.That(Directory.Exists(Path.Combine(into, "tree/empty")));
            Assert.That(File.GetUnixFileMode(Path.Combine(into, "tree/a/file")).HasFlag(UnixFileMode.UserExecute));
            Assert.That(new FileInfo(Path.Combine(into, "tree/link")).LinkTarget, Is.EqualTo("a/file"));
        });
    }

    [Test]
    public async Task F16_run_shows_what_a_command_writes_for_as_long_as_it_runs()
    {
        await using var program = Start(Server.GrpcAddress, "run", "--", "/bin/sh", "-c", "seq 1000000 1170000; echo all of it; exec sleep 1000");
        using var within = new CancellationTokenSource(EndWithin);

        await program.StandardOutput.WaitForAsync("it has shown more than a mebibyte", line => line == "all of it", count: 1, within.Token);

        Assert.That(program.StandardOutput.Count(line => line.Length == 7), Is.EqualTo(170_001));
        program.Interrupt();
        Assert.That(await program.Exited.WaitAsync(EndWithin), Is.EqualTo(Interrupted));
    }

    [Test]
    public async Task Run_tells_a_failed_command_by_its_exit_code()
    {
        var (exitCode, output, _) = await RunAsync("run", "--", "/bin/sh", "-c", "echo because >&2; exit 7");

        Assert.That((exitCode, output.Contains("because", StringComparison.Ordinal), output.Contains('7')),
            Is.EqualTo((CommandFailed, true, true)), () => output);
    }

    [Test]
    public async Task F25_a_failed_command_that_left_a_bad_output_is_told_by_its_own_words_and_its_good_output_comes()
    {
        string into = NewFolder();

        var (exitCode, output, _) = await RunAsync("run", "-o", "x", "-o", "good", "--into", into, "--",
            "/bin/sh", "-c", "mkdir x; ln -s /etc/hostname x/l; echo kept > good; echo real problem >&2; exit 3");

        Assert.That(exitCode, Is.EqualTo(CommandFailed), () => output);
        Assert.That(output, Does.Contain("real problem").And.Contain("exit code 3").And.Contain("x/l").And.Contain("/etc/hostname"));
        Assert.That(await File.ReadAllTextAsync(Path.Combine(into, "good")), Is.EqualTo("kept\n"));
    }

    [Test]
    public async Task Run_passes_the_commands_own_exit_code_on_when_asked()
    {
        var (exitCode, output, _) = await RunAsync("run", "--propagate-exit", "--", "/bin/sh", "-c", "exit 7");

        Assert.That(exitCode, Is.EqualTo(7), () => output);
    }

    [Test]
    public async Task A_file_that_was_put_comes_back_by_its_digest()
    {
        string folder = NewFolder(("file", "some content\n"));

        string digest = (await RunAsync("put", Path.Combine(folder, "file"))).Answer.Trim();
        var printed = await RunAsync("cat", digest);
        var fetched = await RunAsync("get", digest, Path.Combine(folder, "copy"));

        Assert.Multiple(() =>
        {
            Assert.That(digest, Is.EqualTo("1c87b6727f523662df714f06a94ea27fa4d9050c38f4f7712bd4663ffbfdfa01/13"));
            Assert.That((printed.ExitCode, printed.Answer), Is.EqualTo((Done, "some content\n")), () => printed.Output);
            Assert.That(fetched.ExitCode, Is.EqualTo(Done), () => fetched.Output);
            Assert.That(File.ReadAllText(Path.Combine(folder, "copy")), Is.EqualTo("some content\n"));
        });
    }

    [Test]
    public async Task A_blob_that_nobody_stored_is_not_found()
    {
        var (exitCode, output, _) = await RunAsync("cat", $"{new string('a', 64)}/5");

        Assert.That(exitCode, Is.EqualTo(NotFound), () => output);
    }

    [Test]
    public async Task Status_names_the_worker_and_its_slots()
    {
        var (exitCode, output, answer) = await RunAsync("status", "--http", $"http://{Server.HttpAddress}");

        Assert.That((exitCode, answer.Contains("slots", StringComparison.Ordinal)), Is.EqualTo((Done, true)), () => output);
    }

    [Test]
    public async Task A_server_that_is_not_there_is_told_from_a_command_that_failed()
    {
        var (exitCode, output, _) = await RunAtAsync($"127.0.0.1:{FreePort.Next()}", "cat", $"{new string('a', 64)}/5");

        Assert.That(exitCode, Is.EqualTo(Unavailable), () => output);
    }

    [TestCase("pot", "Did you mean 'put'?")]
    [TestCase("status --jsn", "Did you mean '--json'?")]
    [TestCase("cat", "See rexec cat --help")]
    public async Task What_it_does_not_understand_is_refused_with_what_was_probably_meant(string line, string says)
    {
        var (exitCode, output, _) = await RunAsync(line.Split(' '));

        Assert.That((exitCode, output.Contains(says, StringComparison.Ordinal)), Is.EqualTo((Usage, true)), () => output);
    }

    [TestCase(false, Interrupted)]
    [TestCase(true, Terminated)]
    public async Task A_signal_ends_it_with_the_code_of_the_signal(bool terminate, int code)
    {
        await using var program = Start(Server.GrpcAddress, "run", "--", "/bin/sh", "-c", "echo started; exec sleep 1000");
        using var within = new CancellationTokenSource(EndWithin);
        await program.StandardOutput.WaitForAsync("the command has started", line => line == "started", count: 1, within.Token);

        if (terminate) program.Terminate();
        else program.Interrupt();

        Assert.That(await program.Exited.WaitAsync(EndWithin), Is.EqualTo(code), () => program.Output.ToString());
    }

    private Task<(int ExitCode, string Output, string Answer)> RunAsync(params string[] arguments) =>
        RunAtAsync(Server.GrpcAddress, arguments);

    private static async Task<(int ExitCode, string Output, string Answer)> RunAtAsync(string address, params string[] arguments)
    {
        await using var program = Start(address, arguments);
        int exitCode = await program.Exited.WaitAsync(EndWithin);
        return (exitCode, program.Output.ToString(), program.StandardOutput.ToString());
    }

    private static ChildProcess Start(string address, params string[] arguments) =>
        ChildProcess.Start(BuiltPrograms.Cli, arguments, "/", new Dictionary<string, string?>
        {
            [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value,
            ["REXEC_SERVER"] = $"grpc://{address}",
        });

    private static string NewFolder(params (string Name, string Content)[] files)
    {
        string folder = Lab.NewFolder("cli");
        Directory.CreateDirectory(folder);
        foreach (var (name, content) in files) File.WriteAllText(Path.Combine(folder, name), content);
        return folder;
    }
}
