using System.Diagnostics;
using System.Text.RegularExpressions;

namespace RemoteExec.Cli.Tests;

/// <summary>What explains itself, and to whom.</summary>
internal sealed partial class HelpTests : CliFixture
{
    private static readonly string[] Verbs = ["run", "put", "get", "cat", "ls", "action", "cancel", "status", "completion"];

    [TestCaseSource(nameof(Verbs))]
    public async Task Every_verb_has_examples_and_says_the_same_in_two_ways(string verb)
    {
        var asked = await RunAsync("help", verb);

        Assert.That(asked.ExitCode, Is.EqualTo(Done));
        Assert.That(asked.Output, Does.Contain($"Examples:\n  ").And.Contain($"rexec {verb} "));
        Assert.That(await RunAsync(verb, "--help"), Is.EqualTo(asked));
    }

    [Test]
    public async Task The_first_help_lists_verbs_and_exit_codes()
    {
        var help = await RunAsync("--help");

        Assert.That(help.ExitCode, Is.EqualTo(Done));
        foreach (string verb in Verbs) Assert.That(help.Output, Does.Match($"(?m)^  {verb} "));
        Assert.That(help.Output, Does.Contain("Exit codes:").And.Contain("143"));
        Assert.That(await RunAsync("help"), Is.EqualTo(help));
    }

    [Test]
    public async Task Help_fits_a_terminal_of_100_columns([ValueSource(nameof(Verbs))] string verb) =>
        Assert.That((await RunAsync(verb, "--help")).Output.Split('\n').Select(line => line.TrimEnd().Length).Max(), Is.LessThanOrEqualTo(100));

    [Test]
    public async Task Nothing_said_is_answered_with_where_to_begin()
    {
        var answer = await RunAsync();

        Assert.That((answer.ExitCode, answer.Output), Is.EqualTo((Usage, "")));
        Assert.That(answer.Error, Does.Contain("rexec help"));
    }

    [Test]
    public async Task The_version_is_one_line()
    {
        Assert.That((await RunAsync("--version")).Output, Does.Match(@"^rexec \d+\.\d+\.\d+\S*\n$"));
        Assert.That((await RunAsync("--version", "--json")).Output, Does.Contain("\"version\""));
    }

    [TestCase("help pot", "Did you mean 'put'?")]
    [TestCase("pot", "Did you mean 'put'?")]
    [TestCase("status --jsn", "Did you mean '--json'?")]
    [TestCase("completion bosh", "Did you mean 'bash'?")]
    [TestCase("status --format jsn", "Did you mean 'json'?")]
    public async Task What_was_probably_meant_is_said(string line, string says)
    {
        var answer = await RunAsync(line.Split(' '));

        Assert.That(answer.ExitCode, Is.EqualTo(Usage));
        Assert.That(answer.Error, Does.Contain(says));
    }

    [Test]
    public async Task Bash_completes_verbs_and_their_options()
    {
        string script = (await RunAsync("completion", "bash")).Output;

        Assert.That(await CompleteAsync(script, "rexec", "st"), Is.EqualTo("status"));
        Assert.That(await CompleteAsync(script, "rexec", "run", "--prop"), Is.EqualTo("--property --propagate-exit"));
        Assert.That(await CompleteAsync(script, "rexec", "--json", "ls", "--rec"), Is.EqualTo("--recursive"));
        Assert.That(await CompleteAsync(script, "rexec", "put", "na"), Is.Empty, "files are the shell's own business");
    }

    [TestCase("zsh", "#compdef rexec", "'run:Runs one command remotely")]
    [TestCase("fish", "complete -c rexec", "-l recursive -s R")]
    public async Task Other_shells_have_a_script_with_every_verb(string shell, string start, string part)
    {
        string script = (await RunAsync("completion", shell)).Output;

        Assert.That(script, Does.Contain(start).And.Contain(part));
        foreach (string verb in Verbs) Assert.That(script, Does.Contain(verb));
    }

    [Test]
    public void The_page_lists_every_exit_code_and_every_verb()
    {
        string page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Cli.md"));

        foreach (string verb in Verbs) Assert.That(page, Does.Contain($"`rexec {verb}"));
        foreach (int code in new[] { 0, 1, 2, 3, 4, 5, 70, 130, 141, 143 }) Assert.That(page, Does.Match($@"(?m)^\| {code} \|"));
    }

    [TestCase("run", "run --json true")]
    [TestCase("put", "put --json FILE")]
    [TestCase("get", "get --json DIGEST FILE.copy")]
    [TestCase("cat", "cat --json DIGEST")]
    [TestCase("ls", "ls --format jsonl FOLDER")]
    [TestCase("action", "action --json ACTION")]
    [TestCase("completion", "completion --json bash")]
    [TestCase("cancel", "cancel --json operations/x")]
    public async Task The_page_lists_the_members_of_every_answer_for_programs(string verb, string line)
    {
        Server.Executions.ThenEnd(new Build.Bazel.Remote.Execution.V2.ActionResult());
        await RunAsync("run", "true");
        var action = Server.Executions.Request!.ActionDigest;
        string file = Folder.Write("in/file", "text");
        string folder = (await RunAsync("put", Folder.Combine("in"))).Output.Trim();
        string digest = (await RunAsync("put", file)).Output.Trim();
        line = line.Replace("FOLDER", folder, StringComparison.Ordinal).Replace("FILE", file, StringComparison.Ordinal)
            .Replace("ACTION", $"{action.Hash}/{action.SizeBytes}", StringComparison.Ordinal).Replace("DIGEST", digest, StringComparison.Ordinal);

        var answer = await RunAsync(line.Split(' '));
        var members = System.Text.Json.Nodes.JsonNode.Parse(answer.Output)!.AsObject().Select(member => member.Key);

        string page = File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Cli.md"));
        string row = page.Split('\n').Single(text => text.StartsWith($"| {verb} | `", StringComparison.Ordinal));
        Assert.That(Member().Matches(row).Select(match => match.Groups[1].Value), Is.EqualTo(members));
    }

    private static async Task<string> CompleteAsync(string script, params string[] words)
    {
        string line = string.Join(' ', words.Select(word => $"'{word}'"));
        var start = new ProcessStartInfo("bash", ["-c", $"{script}\nCOMP_WORDS=({line}); COMP_CWORD={words.Length - 1}; _rexec; echo \"${{COMPREPLY[*]}}\""])
        {
            RedirectStandardOutput = true,
        };
        using var bash = Process.Start(start)!; // a shell is there, or the test says so
        string answer = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();
        return answer.Trim();
    }

    [GeneratedRegex("`([A-Za-z0-9]+)`")]
    private static partial Regex Member();
}
