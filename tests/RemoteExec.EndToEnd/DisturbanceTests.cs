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

    // By default Bazel tries for about 3 s: 0.1 s, then twice as long each time, five times. What is promised is a green
    // build after a restart within 2 s; a machine that was too busy for that has not put it to the test.
    private static readonly TimeSpan RestartMax = TimeSpan.FromSeconds(2);
    private const int RoundsMax = 3;

    private readonly BazelVersion _version = Lab.Version(bazelVersion);

    private BazelClient Bazel => Lab.Bazel(_version);

    [Test]
    public async Task A_server_that_is_killed_twice_and_comes_back_does_not_break_the_build()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"));
        for (int round = 1; ; round++)
        {
            await Bazel.CleanAsync();
            // Where the machine is too busy for what Bazel does by itself, it is asked for patience, so that the rest is held all the same.
            bool isPatient = round == RoundsMax;
            await using var build = StartBuild(server, [$"--action_env=ROUND={round}", .. isPatient ? ["--remote_retries=12"] : Array.Empty<string>()]);

            bool isQuick = await KillAndRestartAsync(server, build, 12) <= RestartMax;
            if (isQuick || isPatient) isQuick &= await KillAndRestartAsync(server, build, 40) <= RestartMax;
            if (isQuick || isPatient)
            {
                await AssertUndisturbedAsync(build);
                break;
            }

            await build.Result;
        }

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

    private static async Task<TimeSpan> KillAndRestartAsync(ServerProcess server, BazelRun build, int actionsStarted)
    {
        await build.ActionsStartedAsync(actionsStarted);
        await server.KillAsync();
        long start = TimeProvider.System.GetTimestamp();
        await server.RestartAsync();
        return TimeProvider.System.GetElapsedTime(start);
    }

    private BazelRun StartBuild(ServerProcess server, params string[] flags) => Bazel.Start(
        "build", ["--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}", "--subcommands", .. flags, .. Work]);

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
