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
        var workspace = await BazelWorkspace.CreateAsync(
            bench.NewFolder("workspace"), "--libs", "40", "--sources", "5", "--tests", "0");
        await using var bazel = new BazelClient(BazelVersion.V4, workspace, bench.NewFolder("bazel"));
        string[] remote = ["--config=remote", $"--remote_executor=grpc://{server.GrpcAddress}"];

        var (local, cold, warm) = (new List<double>(), new List<double>(), new List<double>());
        // The first round is not counted: Bazel's own Java compiles itself during it, more of it for the remote way.
        for (int round = 0; round <= Rounds; round++)
        {
            cancellationToken.ThrowIfCancellationRequested();
            string salt = Guid.NewGuid().ToString("N");
            double localFirst = round % 2 == 0 ? await SecondsAsync(bazel, salt, "--config=local") : 0;
            double coldSeconds = await SecondsAsync(bazel, salt, remote);
            double warmSeconds = await SecondsAsync(bazel, salt, remote);
            double localSeconds = round % 2 == 1 ? await SecondsAsync(bazel, salt, "--config=local") : localFirst;
            if (round == 0) continue;
            local.Add(localSeconds);
            cold.Add(coldSeconds);
            warm.Add(warmSeconds);
        }

        await server.StopAsync();
        return
        [
            Measurement.Relative("cold build", Statistics.Median(cold), "s", "local build", Statistics.Median(local), Target.AtMost(1.10)),
            Measurement.Relative("warm build", Statistics.Median(warm), "s", "cold build", Statistics.Median(cold), Target.AtMost(0.04)),
        ];
    }

    private static async Task<double> SecondsAsync(BazelClient bazel, string salt, params string[] where)
    {
        // A variable is part of every action: no cache has seen any of them.
        string[] arguments = [$"--action_env=SALT={salt}", .. where, .. s_targets];
        await bazel.CleanAsync();
        // Loading and analysis are the client's own: done before the clock starts, in all three cases.
        (await bazel.RunAsync("build", ["--nobuild", .. arguments])).OrThrow();

        long start = TimeProvider.System.GetTimestamp();
        (await bazel.RunAsync("build", arguments)).OrThrow();
        return TimeProvider.System.GetElapsedTime(start).TotalSeconds;
    }
}
