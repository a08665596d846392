using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>An action sees its inputs, uses its slot, and leaves nothing running.</summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class IsolationTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    private static readonly TimeSpan StartWithin = TimeSpan.FromSeconds(60);

    // One slot only: an action that kept it would stop everything behind it. A client that cancels frees it
    // at once, however long one that was lost is waited for; one that says nothing, only at the server's own limit.
    private protected override IReadOnlyList<string> ServerFlags => Version.CancelsCallsOnInterrupt
        ? ["--slots", "1", "--wait-for-client", "1h"]
        : ["--slots", "1", "--action-timeout", "10s"];

    [Test]
    public async Task An_undeclared_file_of_the_workspace_is_not_there()
    {
        (await BuildAsync("//io:isolated")).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

        Assert.That(await Bazel.ReadOutputAsync("io/isolated.txt"), Is.EqualTo("hidden\n"));
    }

    [Test]
    public async Task An_action_that_needs_an_undeclared_file_fails()
    {
        (await BuildAsync("//fail:undeclared_input"))
            .ShouldExitWith(BazelResult.BuildFailed).ShouldSay("No such file or directory");
    }

    [Test]
    public async Task A_test_beyond_its_timeout_is_ended_and_reported_as_TIMEOUT()
    {
        var result = await TestAsync("--test_timeout=4", "//fail:slow_test");

        result.ShouldExitWith(BazelResult.TestsFailed).ShouldSay("TIMEOUT");
        Assert.That(Lab.Workspace.Sleepers(), Is.Empty);
    }

    [Test]
    public async Task A_process_that_outlives_its_command_is_ended_with_it()
    {
        var result = await TestAsync("--nocache_test_results", "//fail:leaves_child_test");

        result.ShouldExitWith(BazelResult.Success).ShouldSay("PASSED");
        Assert.That(Lab.Workspace.Sleepers(), Is.Empty);
    }

    [Test]
    public async Task Interrupting_the_client_frees_the_slot_of_an_endless_action()
    {
        await Bazel.CleanAsync();
        await using var endless = Bazel.Start("build", [.. Through(Server), "//fail:too_slow"]);
        await Eventually.TrueAsync("the action sleeps", StartWithin, () => Lab.Workspace.Sleepers().Count > 0);
        endless.Interrupt();
        (await endless.Result).ShouldExitWith(BazelResult.Interrupted);

        // With its one slot taken the server could not do this.
        (await BuildAsync("--noremote_accept_cached", "//io:empty"))
            .ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
        Assert.That(Lab.Workspace.Sleepers(), Is.Empty);
    }
}
