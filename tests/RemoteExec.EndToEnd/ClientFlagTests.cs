using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Flags with which users drive Bazel, one by one, on targets that are quick to build.</summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class ClientFlagTests(string bazelVersion) : RemoteBuildFixture(bazelVersion)
{
    // Without a symlink among the outputs, which neither version supports with a minimal download.
    private static readonly string[] Quick = ["//gen/...", "//io/...", "//tree:copy_list", "//tree:wide_list"];

    // Long enough for a worker that is about to join, short enough for a test that waits for none.
    private protected override IReadOnlyList<string> ServerFlags => ["--wait-for-worker", "2s"];

    [SetUp]
    public Task ForgetLocalResultsAsync() => Bazel.CleanAsync();

    [Test]
    public async Task Remote_download_minimal_builds_without_bringing_outputs_home()
    {
        (await BuildAsync(["--config=minimal", "--noremote_accept_cached", .. Quick]))
            .ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

        Assert.That(await Bazel.HasOutputAsync("gen/join.txt"), Is.False);
    }

    [Test]
    public async Task Remote_download_minimal_builds_again_from_cache_hits()
    {
        (await BuildAsync(["--config=minimal", .. Quick])).ShouldExitWith(BazelResult.Success);
        await Bazel.CleanAsync();

        var result = await TestAsync(["--config=minimal", .. Quick]);

        result.ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
    }

    [Test]
    public async Task Remote_download_toplevel_brings_only_what_was_asked_for()
    {
        (await BuildAsync("--config=toplevel", "//gen:join")).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

        Assert.Multiple(async () =>
        {
            Assert.That(await Bazel.HasOutputAsync("gen/join.txt"), Is.True);
            Assert.That(await Bazel.HasOutputAsync("gen/part0.txt"), Is.False);
        });
    }

    [Test]
    public async Task Noremote_accept_cached_executes_again()
    {
        var first = (await BuildAsync(Quick)).ShouldExitWith(BazelResult.Success);
        await Bazel.CleanAsync();

        var second = (await BuildAsync(["--noremote_accept_cached", .. Quick])).ShouldExitWith(BazelResult.Success);

        Assert.Multiple(() =>
        {
            Assert.That(second.Processes.Remote, Is.EqualTo(first.Processes.Actions), () => second.Explanation);
            Assert.That(second.Processes.RemoteCacheHits, Is.Zero, () => second.Explanation);
        });
    }

    [Test]
    public async Task An_instance_name_has_an_action_cache_of_its_own()
    {
        (await BuildAsync(Quick)).ShouldExitWith(BazelResult.Success);
        await Bazel.CleanAsync();

        var first = await BuildAsync(["--remote_instance_name=team/main", .. Quick]);
        await Bazel.CleanAsync();
        var second = await BuildAsync(["--remote_instance_name=team/main", .. Quick]);

        Assert.Multiple(() =>
        {
            Assert.That(first.ShouldExitWith(BazelResult.Success).Processes.RemoteCacheHits, Is.Zero, () => first.Explanation);
            Assert.That(second.ShouldExitWith(BazelResult.Success).Processes.RemoteCacheHits,
                Is.EqualTo(first.Processes.Remote), () => second.Explanation);
        });
    }

    [Test]
    public async Task Results_of_actions_that_ran_at_the_client_are_shared_through_the_cache()
    {
        // Another instance: what earlier tests executed at the server is no hit here.
        string[] cacheOnly = ["--config=cache", $"--remote_cache=grpc://{Server.GrpcAddress}", "--remote_instance_name=cache-only"];
        var first = (await Bazel.RunAsync("build", [.. cacheOnly, .. Quick])).ShouldExitWith(BazelResult.Success);
        await Bazel.CleanAsync();

        var second = (await Bazel.RunAsync("build", [.. cacheOnly, .. Quick])).ShouldExitWith(BazelResult.Success);

        Assert.Multiple(() =>
        {
            Assert.That(first.Processes.RemoteCacheHits, Is.Zero, () => first.Explanation);
            Assert.That(second.Processes.RemoteCacheHits, Is.EqualTo(first.Processes.Actions), () => second.Explanation);
        });
    }

    [Test]
    public async Task Fifty_jobs_over_one_connection_are_served()
    {
        (await BuildAsync(["--jobs=50", "--remote_max_connections=1", "--noremote_accept_cached", .. Quick]))
            .ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
    }

    [Test]
    public async Task The_default_pool_serves_actions_that_ask_for_it()
    {
        (await BuildAsync("//io:pool")).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
    }

    [Test]
    public async Task A_property_that_no_worker_has_fails_and_names_the_nearest()
    {
        var result = await BuildAsync("--remote_default_exec_properties=Pool=defualt", "//io:empty");

        result.ShouldExitWith(BazelResult.RemoteError)
            .ShouldSay("asks for Pool=defualt, the nearest that is offered is Pool=default");
    }
}
