using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// Whatever is killed in the middle of a build, Bazel must not notice more than a delay, and the outputs
/// must be those of a quiet day.
/// </summary>
[TestFixture("4.2.3")]
[TestFixture("2.1.0")]
public sealed class DisturbanceTests(string bazelVersion)
{
    private static readonly string[] Packages = ["steps", "gen", "cc", "app"];
    private static readonly IEnumerable<string> Work = Packages.Select(package => $"//{package}/...");

    // By default Bazel tries for about 3 s: 0.1 s, then twice as long each time, five times. A restart takes a
    // third of that where nothing else runs (eng/bench measures it), and longer beside a loaded test
    // machine's other work; this is about what is lost, not about how fast a runtime starts.
    private const string PatientRetries = "--remote_retries=9";

    private readonly BazelVersion _version = Lab.Version(bazelVersion);

    private BazelClient Bazel => Lab.Bazel(_version);

    [Test]
    public async Task A_server_that_is_killed_twice_and_comes_back_does_not_break_the_build()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"));
        await Bazel.CleanAsync();
        await using var build = StartBuild(server);

        foreach (int middle in (int[])[12, 40])
        {
            await build.ActionsStartedAsync(middle);
            await server.KillAsync();
            await server.RestartAsync();
        }

        await AssertUndisturbedAsync(build);
        await server.StopAsync();
    }

    [Test]
    public async Task What_was_built_before_kill_9_is_a_cache_hit_afterwards()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"));
        await Bazel.CleanAsync();
        var before = await BuildAsync(server);
        await server.KillAsync();
        await server.RestartAsync();
        await Bazel.CleanAsync();

        var after = await BuildAsync(server);

        Assert.That(after.Processes.RemoteCacheHits, Is.EqualTo(before.Processes.Remote), () => after.Explanation);
        await server.StopAsync();
    }

    [Test]
    public async Task A_worker_that_is_killed_hands_its_actions_to_another()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage");
        await using var first = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", "2");
        await Bazel.CleanAsync();
        await using var build = StartBuild(server);

        // More actions are under way than the only worker has slots: it dies with both in use.
        await build.ActionsStartedAsync(12);
        await using var second = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", "2");
        await first.KillAsync();

        await AssertUndisturbedAsync(build);
        await second.StopAsync();
        await first.NothingLeftAsync();
        await server.StopAsync();
    }

    [Test]
    public async Task A_worker_that_is_told_to_stop_drains_and_another_goes_on()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--roles", "coordinator,storage");
        await using var first = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", "2");
        await Bazel.CleanAsync();
        await using var build = StartBuild(server);

        await build.ActionsStartedAsync(12);
        await using var second = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", "2");
        await first.StopAsync();

        await AssertUndisturbedAsync(build);
        await second.StopAsync();
        await server.StopAsync();
    }

    private BazelRun StartBuild(ServerProcess server) => Bazel.Start(
        "build", ["--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}", PatientRetries, "--subcommands", .. Work]);

    private async Task<BazelResult> BuildAsync(ServerProcess server) => (await Bazel.RunAsync(
        "build", "--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}", "//steps/...", "//gen/..."))
        .ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();

    private async Task AssertUndisturbedAsync(BazelRun build)
    {
        (await build.Result).ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
        var expected = await Lab.LocalOutputsAsync(_version);
        (await Bazel.HashOutputsAsync()).Under(Packages).ShouldEqual(expected.Under(Packages));
    }
}
