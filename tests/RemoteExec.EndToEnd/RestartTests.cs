using System.Globalization;
using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>
/// SIGTERM in the middle, and a supervisor that starts the server again as soon as it has ended: nobody's work is lost, none is done
/// twice, and no client has to be told to try harder.
/// </summary>
public sealed class RestartTests
{
    private const int Steps = 40, Slots = 4;

    // gRPC connects anew after about 1 s and after about 2.6 s, each a fifth sooner or later, and Bazel's tries are over after about 3 s.
    // Who is away for longer than until the first of these may be missed by the second: a machine so busy has not put it to the test.
    private static readonly TimeSpan OutageMax = TimeSpan.FromSeconds(0.8);
    private static readonly TimeSpan EndWithin = TimeSpan.FromSeconds(90);
    private const int RoundsMax = 3;

    // Of the README, and nothing about tries or fallbacks.
    private static readonly string[] s_flags =
        ["--remote_timeout=600", "--jobs=50", "--incompatible_strict_action_env", "--remote_download_toplevel"];

    private static BazelClient Bazel => Lab.Bazel(BazelVersion.V4);

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_graceful_restart_in_the_middle_of_a_build_keeps_it_green_and_runs_nothing_twice(bool isWorkerOutside)
    {
        for (int round = 1; ; round++)
        {
            var witness = new Witness(Lab.NewFolder("witness"));
            await using var package = new StepsPackage(witness);
            await using var server = await ServerProcess.StartAsync(
                Lab.NewFolder("server"), isWorkerOutside ? ["--roles", "coordinator,storage"] : ["--sandbox", "off", "--slots", $"{Slots}"]);
            await using var worker = isWorkerOutside ? WorkerProcess.Start(server, Lab.NewFolder("worker"), "--sandbox", "off", "--slots", $"{Slots}") : null;
            // Where the machine is too busy for what Bazel does by itself, it is asked for patience, so that the rest is held all the same.
            string[] patience = round < RoundsMax ? [] : ["--remote_retries=12"];
            await using var build = Bazel.Start("build", [$"--remote_executor=grpc://{server.GrpcAddress}", .. s_flags, .. patience, package.Everything]);

            // One: an action that waits through two has but five tries for both.
            await witness.HeardAsync(Steps / 4);
            var outage = await server.RestartGracefullyAsync();
            var result = await build.Result;

            if (result.ExitCode != BazelResult.Success && outage > OutageMax && round < RoundsMax) continue;

            result.ShouldExitWith(BazelResult.Success).ShouldHaveRunRemotely();
            Assert.That(witness.Lines, Is.EquivalentTo(package.Steps), () => $"each ran once; the outage was {outage}\n{result.Explanation}");
            string[] outputs = await Task.WhenAll(package.Steps.Select(step => Bazel.ReadOutputAsync($"{package.Name}/{step}.txt")));
            Assert.That(outputs, Is.EqualTo(package.Steps.Select(step => $"{step} is done\n")));
            if (worker is not null) await worker.StopAsync();
            await server.StopAsync();
            break;
        }
    }

    [Test]
    public async Task A_run_that_waits_is_told_in_a_sentence_and_one_that_runs_ends_before_its_server()
    {
        var witness = new Witness(Lab.NewFolder("witness"));
        string gate = witness.Path + ".gate";
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--sandbox", "off", "--slots", "1");
        await using var running = Run(server, $"echo running >> {witness.Path}; until [ -e {gate} ]; do sleep 0.05; done; echo result of the first");
        await witness.HeardAsync(1);
        await using var waiting = Run(server, $"echo waiting >> {witness.Path}; echo result of the second");
        await Eventually.TrueAsync(
            () => "both were accepted", EndWithin, async () => await server.MetricAsync("remoteexec_queue_operations") >= 2);

        server.Terminate();
        await server.DrainsAsync();
        await File.WriteAllTextAsync(gate, "");
        await server.EndedAsync();
        await server.RestartAsync();

        // Its result came before the end; a blob of it may be read from the next process.
        Assert.That((await running.Exited.WaitAsync(EndWithin), running.StandardOutput.ToString()), Is.EqualTo((0, "result of the first\n")), running.Output.ToString);
        Assert.That((await waiting.Exited.WaitAsync(EndWithin), waiting.StandardOutput.ToString()), Is.EqualTo((0, "result of the second\n")), waiting.Output.ToString);
        Assert.That(waiting.Output.ToString(), Does.Contain("the connection to the server was lost").And.Contain("the server is back"));
        Assert.That(running.Output.ToString(), Does.Not.Contain("lost"));
        Assert.That(witness.Lines, Is.EqualTo(new[] { "running", "waiting" }));
        await server.StopAsync();
    }

    private static ChildProcess Run(ServerProcess server, string script) => ChildProcess.Start(
        BuiltPrograms.Cli, ["run", "--", "/bin/sh", "-c", script], "/", new Dictionary<string, string?>
        {
            [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value,
            ["REXEC_SERVER"] = $"grpc://{server.GrpcAddress}",
        });

    /// <summary>
    /// Short genrules, half of them in a chain, so that some are asked for only after the restarts. In the shared workspace for as long
    /// as it is used, since each run has a witness of its own; its outputs are nothing that other fixtures expect.
    /// </summary>
    private sealed class StepsPackage : IAsyncDisposable
    {
        private static int s_packages;
        private readonly string _folder;

        public StepsPackage(Witness witness)
        {
            Name = string.Create(CultureInfo.InvariantCulture, $"witnessed{s_packages++}");
            _folder = Path.Combine(Lab.Workspace.Folder, Name);
            Directory.CreateDirectory(_folder);
            var rules = Steps.Select((step, index) => Rule(step, index % 2 == 1 && index > 1 ? Steps[index - 2] : "", witness));
            File.WriteAllText(Path.Combine(_folder, "BUILD"), string.Concat(rules));
        }

        public string Name { get; }

        public string Everything => $"//{Name}:all";

        public IReadOnlyList<string> Steps { get; } = [.. Enumerable.Range(0, RestartTests.Steps).Select(number => $"step{number}")];

        public async ValueTask DisposeAsync()
        {
            Directory.Delete(_folder, recursive: true);
            await Bazel.CleanAsync();
        }

        private static string Rule(string step, string before, Witness witness) =>
            $"""
            genrule(
                name = "{step}",
                srcs = [{(before.Length > 0 ? $"\"{before}.txt\"" : "")}],
                outs = ["{step}.txt"],
                cmd = "echo {step} >> {witness.Path}; sleep 0.1; echo {step} is done > $@",
            )

            """;
    }
}
