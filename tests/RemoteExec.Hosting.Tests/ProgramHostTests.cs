using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

/// <summary>How a program begins and ends, seen from outside.</summary>
public sealed class ProgramHostTests
{
    // 128 + SIGTERM: the system ended it.
    private const int EndedBySigterm = 143;

    [TestCase(ScriptedProcess.SIGTERM)]
    [TestCase(ScriptedProcess.SIGINT)]
    public async Task The_first_signal_lets_it_drain_and_it_ends_with_0(int signal)
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.Serve);
        Assert.That(await program.ReadLineAsync(), Is.EqualTo("welcome"));

        program.Signal(signal);
        var (exitCode, output, error) = await program.EndAsync();

        Assert.That((exitCode, output), Is.EqualTo((ExitCode.Done, "")));
        Assert.That(Messages(error), Is.EqualTo(["drained", "disposed"]));
    }

    [Test]
    public async Task The_second_signal_ends_it_at_once()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.DrainForEver);
        await program.ReadLineAsync();
        program.Signal(ScriptedProcess.SIGTERM);
        Assert.That(await program.ReadLineAsync(), Is.EqualTo("draining"));

        program.Signal(ScriptedProcess.SIGTERM);

        Assert.That((await program.EndAsync()).ExitCode, Is.EqualTo(EndedBySigterm));
    }

    [Test]
    public async Task A_program_that_hurries_is_asked_to_by_the_second_signal_and_ended_by_the_third()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.HurryForEver);
        await program.ReadLineAsync();
        foreach (string word in (string[])["draining", "hurrying"])
        {
            program.Signal(ScriptedProcess.SIGTERM);
            Assert.That(await program.ReadLineAsync(), Is.EqualTo(word));
        }

        program.Signal(ScriptedProcess.SIGTERM);

        Assert.That((await program.EndAsync()).ExitCode, Is.EqualTo(EndedBySigterm));
    }

    [Test]
    public async Task A_signal_during_the_start_ends_it_with_0()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.StartForEver);
        Assert.That(await program.ReadLineAsync(), Is.EqualTo("starting"));

        program.Signal(ScriptedProcess.SIGTERM);

        Assert.That(await program.EndAsync(), Is.EqualTo((ExitCode.Done, "", "")));
    }

    [Test]
    public async Task A_start_that_fails_is_one_sentence_with_its_exit_code()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.RefuseToStart);

        Assert.That(await program.EndAsync(), Is.EqualTo((ExitCode.Unavailable, "", "scripted: the cellar is full; dig\n")));
    }

    [Test]
    public async Task Work_that_fails_ends_the_program_with_one_sentence_after_its_log()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.Fail);

        var (exitCode, _, error) = await program.EndAsync();

        Assert.That(exitCode, Is.EqualTo(ExitCode.Unavailable));
        Assert.That(error, Does.EndWith("scripted: the roof came down; dig\n").And.Contains("disposed"));
    }

    [Test]
    public async Task Slips_are_said_a_sentence_each_and_end_it_with_2()
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.Serve, null, "--drain-limt", "3s", "--drain-limit", "soon");

        var (exitCode, output, error) = await program.EndAsync();

        Assert.That((exitCode, output), Is.EqualTo((ExitCode.Usage, "")));
        Assert.That(error.Split('\n', StringSplitOptions.RemoveEmptyEntries), Has.Length.EqualTo(2).And.All.StartsWith("scripted: --drain-lim"));
    }

    [TestCase("--help", "Usage: scripted")]
    [TestCase("--version", "scripted ")]
    [TestCase("--print-config", "\"life\": \"serve\", // command line")]
    public async Task A_question_is_answered_on_standard_output_and_ends_it_with_0(string flag, string says)
    {
        await using var program = ScriptedProcess.Start(ScriptedLife.Serve, null, flag);

        var (exitCode, output, error) = await program.EndAsync();

        Assert.That((exitCode, error), Is.EqualTo((ExitCode.Done, "")));
        Assert.That(output, Does.Contain(says));
    }

    private static IEnumerable<string> Messages(string log) => JsonLines.Of(log).Select(line => line.GetProperty("msg").GetString()!);
}
