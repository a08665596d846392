using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Work goes where a slot is free, and what nobody waits for waits: two workers, and clients that leave by Ctrl-C.</summary>
public sealed class WaitingRoomTests
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    [Test]
    public async Task What_waits_at_a_busy_worker_runs_on_one_that_joins()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--slots", "1");
        await using var endless = Run(server, "exec sleep 100000");
        await Eventually.TrueAsync(() => "it runs", Within, async () => await CountAsync(server, "running") == 1);
        await using var waiting = Run(server, "echo ran");
        await Eventually.TrueAsync(() => "another waits at the only worker", Within, async () => await CountAsync(server, "assigned") == 1);

        await using var second = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", "1");

        Assert.That((await waiting.Exited.WaitAsync(Within), waiting.StandardOutput.ToString()), Is.EqualTo((0, "ran\n")), () => waiting.Output.ToString());
        Assert.That(endless.Exited.IsCompleted, Is.False, "the slot before which it waited is still taken");
        endless.Interrupt();
        await second.StopAsync();
        await server.StopAsync();
    }

    [Test]
    public async Task What_waits_at_a_busy_worker_runs_on_another_that_has_a_waiting_room_of_its_own()
    {
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--slots", "1");
        await using var endless = Run(server, "exec sleep 100000");
        await Eventually.TrueAsync(() => "it runs", Within, async () => await CountAsync(server, "running") == 1);
        await using var second = WorkerProcess.Start(server, Lab.NewFolder("worker"), "--slots", "1", "--prefetch", "1");
        await using var other = Run(server, "exec sleep 200000");
        await Eventually.TrueAsync(() => "both run", Within, async () => await CountAsync(server, "running") == 2);
        var waiting = Enumerable.Range(0, 6).Select(i => Run(server, $"echo ran {i}")).ToArray();
        try
        {
            await Eventually.TrueAsync(() => "one waits at each, and the others in line", Within, async () =>
                (await CountAsync(server, "assigned"), await CountAsync(server, "queued")) == (2, 4));
            other.Interrupt();

            for (int i = 0; i < waiting.Length; i++)
            {
                Assert.That(
                    (await waiting[i].Exited.WaitAsync(Within), waiting[i].StandardOutput.ToString()), Is.EqualTo((0, $"ran {i}\n")), () => waiting[i].Output.ToString());
            }

            Assert.That(endless.Exited.IsCompleted, Is.False, "one of them waited for its slot at first");
        }
        finally
        {
            foreach (var client in waiting) await client.DisposeAsync();
        }

        endless.Interrupt();
        await second.StopAsync();
        await server.StopAsync();
    }

    [Test]
    public async Task Ctrl_C_of_rexec_frees_the_slots_and_the_places_in_line()
    {
        // Who was lost would keep them for an hour.
        await using var server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--slots", "1", "--wait-for-client", "1h");
        var clients = Enumerable.Range(0, 4).Select(i => Run(server, $"exec sleep 10000{i}")).ToArray();
        try
        {
            await Eventually.TrueAsync(() => "one runs, one waits at the worker and two in line", Within, async () =>
                (await CountAsync(server, "running"), await CountAsync(server, "assigned"), await CountAsync(server, "queued")) == (1, 1, 2));
            foreach (var client in clients) client.Interrupt();
            await using var next = Run(server, "echo ran");

            Assert.That((await next.Exited.WaitAsync(Within), next.StandardOutput.ToString()), Is.EqualTo((0, "ran\n")), () => next.Output.ToString());
            foreach (string state in new[] { "running", "assigned", "queued" }) Assert.That(await CountAsync(server, state), Is.Zero, state);
        }
        finally
        {
            foreach (var client in clients) await client.DisposeAsync();
        }

        await server.StopAsync();
    }

    private static Task<double> CountAsync(ServerProcess server, string state) =>
        server.MetricAsync("remoteexec_queue_operations", $"state=\"{state}\"");

    private static ChildProcess Run(ServerProcess server, string script) => ChildProcess.Start(
        BuiltPrograms.Cli, ["run", "--", "/bin/sh", "-c", script], "/", new Dictionary<string, string?>
        {
            [BuiltPrograms.Runtime.Name] = BuiltPrograms.Runtime.Value,
            ["REXEC_SERVER"] = $"grpc://{server.GrpcAddress}",
        });
}
