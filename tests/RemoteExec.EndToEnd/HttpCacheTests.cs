using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Bazel without gRPC: actions run where it is, and results go to and come from the HTTP port.</summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class HttpCacheTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    private static readonly string[] Quick = ["//gen/...", "//io/...", "//tree:copy_list", "//tree:wide_list"];

    [Test]
    public async Task What_one_build_brings_is_found_by_the_next_also_after_a_restart()
    {
        string[] flags = ["--config=cache", $"--remote_cache=http://{Server.HttpAddress}/by/http", .. Quick];
        await Bazel.CleanAsync();
        (await Bazel.RunAsync("build", flags)).ShouldExitWith(BazelResult.Success);
        var first = await Bazel.HashOutputsAsync();
        await Server.StopAsync();
        await Server.RestartAsync();
        await Bazel.CleanAsync();

        var again = (await Bazel.RunAsync("build", flags)).ShouldExitWith(BazelResult.Success);

        Assert.That(again.Processes.RemoteCacheHits, Is.EqualTo(again.Processes.Actions), again.Explanation);
        (await Bazel.HashOutputsAsync()).ShouldEqual(first);
    }
}
