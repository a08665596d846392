using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// <c>--experimental_remote_execution_keepalive</c>: another executor inside Bazel, which follows an
/// execution by WaitExecution and bounds its silence. Bazel 2.1 does not have it.
/// </summary>
[TestFixture("4.2.3")]
public sealed class KeepaliveTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    private const string Keepalive = "--experimental_remote_execution_keepalive";

    [Test]
    public async Task The_keepalive_executor_builds_and_then_hits()
    {
        await Bazel.CleanAsync();
        (await BuildAsync(Keepalive, "//gen/...", "//steps/...")).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
        await Bazel.CleanAsync();

        var again = await BuildAsync(Keepalive, "//gen/...", "//steps/...");

        Assert.That(again.ShouldExitWith(BazelResult.Success).Processes.Remote, Is.Zero, () => again.Explanation);
    }

    [Test]
    public async Task A_failure_looks_the_same_through_it()
    {
        (await BuildAsync(Keepalive, "//fail:exit_code"))
            .ShouldExitWith(BazelResult.BuildFailed).ShouldSay("Exit 42").ShouldSay("why");
    }
}
