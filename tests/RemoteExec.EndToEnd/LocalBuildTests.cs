using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>The yardstick itself: without it, equality with a local build would say nothing.</summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class LocalBuildTests(string bazelVersion)
{
    private readonly BazelVersion _version = Lab.Version(bazelVersion);

    [Test]
    public async Task Two_local_builds_give_the_same_bytes()
    {
        var first = await Lab.LocalOutputsAsync(_version);
        var bazel = Lab.Bazel(_version);
        await bazel.CleanAsync();
        (await bazel.RunAsync("build", [.. Lab.Locally, .. RemoteBuildFixture.Everything(_version)]))
            .ShouldExitWith(BazelResult.Success);

        (await bazel.HashOutputsAsync()).ShouldEqual(first);
    }
}
