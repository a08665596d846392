using System.Text.RegularExpressions;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>What a user sees of an action that goes wrong: the same as when it goes wrong at home.</summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed partial class FailingActionTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    [Test]
    public async Task A_failing_command_shows_its_exit_code_and_both_streams()
    {
        var result = await BuildAsync("//fail:exit_code");

        result.ShouldExitWith(BazelResult.BuildFailed).ShouldSay("Exit 42").ShouldSay("about to fail").ShouldSay("why");
    }

    [Test]
    public async Task A_failure_is_never_kept_and_served_again()
    {
        string first = TimeOfFailure(await BuildAsync("//fail:exit_code"));
        string second = TimeOfFailure(await BuildAsync("//fail:exit_code"));

        Assert.That(second, Is.Not.EqualTo(first));
    }

    [Test]
    public async Task A_compiler_error_reaches_the_user()
    {
        var result = await BuildAsync("//fail:does_not_compile");

        result.ShouldExitWith(BazelResult.BuildFailed).ShouldSay("undeclared_name");
    }

    [Test]
    public async Task A_missing_output_is_reported_by_the_client_not_by_the_server()
    {
        var result = await BuildAsync("//fail:no_output");

        result.ShouldExitWith(BazelResult.BuildFailed).ShouldSay("was not created").ShouldSay("I write nothing");
    }

    [Test]
    public async Task A_folder_where_a_file_was_promised_is_refused_by_name()
    {
        // ActionResult.output_files: a directory there is a FAILED_PRECONDITION.
        var result = await BuildAsync("//fail:output_is_folder");

        result.ShouldExitWith(BazelResult.RemoteError).ShouldSay("FAILED_PRECONDITION").ShouldSay("output_is_folder.txt");
    }

    [Test]
    public async Task A_command_that_is_killed_by_a_signal_says_so()
    {
        var result = await BuildAsync("//fail:signal");

        result.ShouldExitWith(BazelResult.BuildFailed);
        Assert.That(Killed().IsMatch(result.Output), () => result.Explanation);
    }

    [Test]
    public async Task A_failing_test_brings_its_log_home()
    {
        var result = await TestAsync("//fail:fail_test");

        result.ShouldExitWith(BazelResult.TestsFailed)
            .ShouldSay("FAILED").ShouldSay("this test fails on purpose").ShouldSay("on stderr too");
    }

    [Test]
    public async Task A_mebibyte_on_each_stream_is_no_obstacle()
    {
        (await BuildAsync("//io:very_noisy")).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

        Assert.That(await Bazel.ReadOutputAsync("io/very_noisy.txt"), Is.EqualTo("done\n"));
    }

    [Test]
    public async Task Output_that_is_not_ASCII_is_shown_as_it_is()
    {
        await Bazel.CleanAsync();
        var result = await BuildAsync("--noremote_accept_cached", "//io:noisy");

        result.ShouldExitWith(BazelResult.Success).ShouldSay("to stdout").ShouldSay("to stderr").ShouldSay("é");
    }

    private static string TimeOfFailure(BazelResult result)
    {
        var match = FailureTime().Match(result.Output);
        Assert.That(match.Success, () => result.Explanation);
        return match.Value;
    }

    [GeneratedRegex("about to fail at [0-9]+")]
    private static partial Regex FailureTime();

    [GeneratedRegex("Killed|Exit 137|signal 9")]
    private static partial Regex Killed();
}
