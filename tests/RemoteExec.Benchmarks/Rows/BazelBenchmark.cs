using RemoteExec.EndToEnd;

namespace RemoteExec.Benchmarks;

/// <summary>
/// A C++ build that nobody has seen, through the one command of the README with default settings, against
/// the same build on the same machine without a server; and once more after <c>clean</c>.
/// </summary>
internal sealed class BazelBenchmark : IBenchmark
{
    private const int Rounds = 3;

    private static readonly string[] s_targets = ["//cc/...", "//app/..."];

    public string Name => "bazel";

    public async Task<IReadOnlyList<Measurement>> RunAsync(Bench bench, CancellationToken cancellationToken)
    {
        await using var server = await bench.StartServerAsync();
        var (local, cold, warm) = (new List<double>(), new List<double>(), new List<double>());
        for (int round = 0; round < Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string salt = Guid.NewGuid().ToString("N");
            var workspace = await BazelWorkspace.CreateAsync(
                bench.NewFolder("workspace"), "--libs", "40", "--sources", "5", "--tests", "0", "--salt", salt);
            await using var bazel = new BazelClient(BazelVersion.V4, workspace, bench.NewFolder("bazel"));
            string[] remote = ["--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}"];

            // Which one goes first takes turns: Bazel itself gets faster with every build.
            if (round % 2 == 0) local.Add(await SecondsAsync(bazel, salt, "--config=local"));
            cold.Add(await SecondsAsync(bazel, salt, remote));
            warm.Add(await SecondsAsync(bazel, salt, remote));
            if (round % 2 == 1) local.Add(await SecondsAsync(bazel, salt, "--config=local"));
        }

        await server.StopAsync();
        return
        [
            Measurement.Relative("cold build", Statistics.Median(cold), "s", "local build", Statistics.Median(local), Target.AtMost(1.10)),
            Measurement.Relative("warm build", Statistics.Median(warm), "s", "cold build", Statistics.Median(cold), Target.AtMost(0.06)),
        ];
    }

    private static async Task<double> SecondsAsync(BazelClient bazel, string salt, params string[] where)
    {
        // Archives and links do not see the salt in the sources; as a variable every action does.
        string[] arguments = [$"--action_env=SALT={salt}", .. where, .. s_targets];
        await bazel.CleanAsync();
        // Loading and analysis are the client's own: done before the clock starts, in all three cases.
        (await bazel.RunAsync("build", ["--nobuild", .. arguments])).OrThrow();

        long start = TimeProvider.System.GetTimestamp();
        (await bazel.RunAsync("build", arguments)).OrThrow();
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }
}
