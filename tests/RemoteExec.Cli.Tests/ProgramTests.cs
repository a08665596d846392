using System.Diagnostics;

namespace RemoteExec.Cli.Tests;

/// <summary>The program as a process: what reaches a terminal, a file, a pipe that nobody reads.</summary>
internal sealed class ProgramTests : CliFixture
{
    // The runtime that runs this test: .../shared/Microsoft.NETCore.App/10.0.x/
    private static readonly string Dotnet = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(typeof(object).Assembly.Location)!, "../../../dotnet"));

    // With what the tests run with: beside them stands only what their own framework does not have.
    private static readonly string Program =
        $"'{Dotnet}' exec --runtimeconfig '{Beside("RemoteExec.Cli.Tests.runtimeconfig.json")}' --depsfile '{Beside("RemoteExec.Cli.Tests.deps.json")}' '{Beside("rexec.dll")}'";

    [Test]
    public async Task A_terminal_gets_the_data_and_no_code_before_it() =>
        Assert.That(await BashAsync($"script -qec \"{Program} --version\" /dev/null"), Does.Match(@"^rexec \S+\r?\n0\n$"));

    [Test]
    public async Task Data_and_messages_in_one_file_follow_each_other()
    {
        string file = Folder.Write("both", "before\n");
        string digest = (await Server.PutAsync("data\n")).ToString();
        Server.Executions.ThenEnd(new Build.Bazel.Remote.Execution.V2.ActionResult
        {
            StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("out\n"),
            StderrRaw = Google.Protobuf.ByteString.CopyFromUtf8("err\n"),
        });

        await BashAsync($"({Program} run --server {Server.Address} -- true </dev/null; {Program} cat --server {Server.Address} {digest}; echo after) >> '{file}' 2>&1");

        Assert.That(await File.ReadAllTextAsync(file), Is.EqualTo("before\nout\nerr\ndata\nafter\n"));
    }

    [Test]
    public async Task A_reader_that_leaves_ends_it_without_a_word()
    {
        var digest = await Server.PutAsync(new byte[4 << 20]); // more than a pipe holds

        string answer = await BashAsync($"{Program} cat --server {Server.Address} {digest} 2>&1 | head -c 1 >/dev/null; (exit ${{PIPESTATUS[0]}})");

        Assert.That(answer, Is.EqualTo($"{OutputClosedException.ExitCode}\n"));
    }

    [Test]
    public async Task What_a_pipe_brings_is_the_commands_standard_input()
    {
        Server.Executions.ThenEnd(new Build.Bazel.Remote.Execution.V2.ActionResult());

        string answer = await BashAsync($"echo hello | {Program} run --server {Server.Address} cat");

        Assert.That(answer, Is.EqualTo("0\n"));
        var stored = await Server.Blobs.FindMissingAsync([Digest.Of(DigestFunction.Sha256, "hello\n"u8)], CancellationToken.None);
        Assert.That(stored, Is.Empty);
    }

    private static string Beside(string name) => Path.Combine(AppContext.BaseDirectory, name);

    /// <summary>Its output, and its exit code on a line of its own.</summary>
    private static async Task<string> BashAsync(string script)
    {
        var start = new ProcessStartInfo("bash", ["-c", $"{script}\necho $?"]) { RedirectStandardOutput = true, RedirectStandardInput = true };
        using var bash = Process.Start(start)!; // a new process, always
        bash.StandardInput.Close();
        string output = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        return output;
    }
}
