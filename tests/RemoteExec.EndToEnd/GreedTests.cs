using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>An action that takes all there is of something gets its share, is told, and disturbs nobody (TRUST 4.5).</summary>
public sealed class GreedTests
{
    private const int Slots = 2;

    private ServerProcess? _server;
    private RawExecutor? _executor;
    private RawBlob _hostile;

    private ServerProcess Server => _server ?? throw new InvalidOperationException("the server was not started");

    private RawExecutor Executor => _executor ?? throw new InvalidOperationException("the server was not started");

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        _server = await ServerProcess.StartAsync(Lab.NewFolder("server"), "--slots", $"{Slots}");
        _executor = new RawExecutor(_server.GrpcAddress);
        _hostile = await _executor.StoreAsync(HostileProgram.Bytes);
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        _executor?.Dispose();
        if (_server is null) return;
        await using var server = _server;
        await server.StopAsync();
    }

    [TearDown]
    public async Task The_next_action_runs_as_if_nothing_had_been()
    {
        if (_executor is null) return;
        var next = await Executor.ExecuteAsync(new RawAction("/bin/sh", "-c", "ls -A /tmp /dev/shm; echo fine > /tmp/x && cat /tmp/x"));
        Assert.That(next.Stdout, Does.EndWith("fine\n"), next.ToString());
        Assert.That(await Server.MetricAsync("remoteexec_pool_slots"), Is.EqualTo(Slots));
    }

    [Test]
    public async Task Descriptors_end_at_the_limit()
    {
        var result = await TakeAsync("descriptors");
        string[] words = result.Stdout.Trim().Split(' ');
        // Fewer where the server itself may not have as many.
        Assert.That((words[0], int.Parse(words[1])), Is.EqualTo(("EMFILE", 65536)).Or.EqualTo(("EMFILE", OpenFilesMax())), result.ToString());
    }

    [Test]
    public async Task A_fork_bomb_ends_with_its_action()
    {
        await Walls.RequireAsync(Server, "user", "processes");
        var result = await TakeAsync("processes");
        Assert.That((result.ExitCode, result.Stdout), Is.EqualTo((0L, "EAGAIN\n")), result.ToString());
        Assert.That(HostileProgram.Running("take"), Is.Empty);
    }

    [Test]
    public async Task A_daemon_that_keeps_the_output_open_keeps_nobody_waiting()
    {
        await Walls.RequireAsync(Server, "processes");
        // Not its timeout: the end of the command.
        var result = await TakeAsync("output");
        Assert.That((result.Status, result.Stdout), Is.EqualTo((RawStatus.Ok, "left\n")), result.ToString());
        Assert.That(HostileProgram.Running("take"), Is.Empty);
    }

    [Test]
    public async Task A_hundred_thousand_lines_arrive_whole()
    {
        const int Lines = 100_000;
        var result = await Executor.ExecuteAsync(new RawAction("/bin/sh", "-c", $"yes line | head -n {Lines}"));
        byte[] expected = [.. Enumerable.Repeat("line\n"u8.ToArray(), Lines).SelectMany(line => line)];
        Assert.That(result.StdoutBlob, Is.EqualTo(RawBlob.Of(expected)), result.ToString());
    }

    [Test]
    public async Task F16_a_flood_of_output_keeps_its_head_and_its_tail_and_the_message_says_how_much_is_missing()
    {
        const int Kept = 64 << 20, Flood = 80 << 20;
        var result = await Executor.ExecuteAsync(new RawAction("/bin/sh", "-c", $"yes line | head -c {Flood}; echo the error"));
        Assert.That((result.Status, result.ExitCode), Is.EqualTo((RawStatus.Ok, 0L)), result.ToString());
        Assert.That(result.StdoutBlob!.Value.SizeBytes, Is.EqualTo(Kept), result.ToString());
        var (_, content) = await Executor.ReadAsync(result.StdoutBlob.Value);
        Assert.That(System.Text.Encoding.UTF8.GetString(content[^30..]), Does.EndWith("the error\n"));
        Assert.That(result.Message, Does.Contain($"{Flood + "the error\n".Length - Kept} bytes after the first {Kept / 2} are missing"));
    }

    [Test]
    public async Task All_that_every_slot_may_put_into_memory_as_files_is_half_of_the_machine()
    {
        await Walls.RequireAsync(Server, "root");
        long machineBytes = 1024 * long.Parse(
            (await File.ReadAllLinesAsync("/proc/meminfo")).Single(line => line.StartsWith("MemTotal:", StringComparison.Ordinal)).Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]);
        long sum = 0;
        foreach (string folder in (string[])["/tmp", "/dev/shm"])
        {
            var told = await HostileAsync("size", folder);
            Assert.That(told.ExitCode, Is.Zero, told.ToString());
            sum += long.Parse(told.Stdout);
        }
        Assert.That(sum, Is.InRange(1, machineBytes / 2 / Slots + 2 * Environment.SystemPageSize)); // sizes are whole pages
    }

    [Test]
    public async Task Actions_are_the_first_to_die_when_memory_runs_out()
    {
        await Walls.RequireAsync(Server, "processes");
        var told = await Executor.ExecuteAsync(new RawAction("/bin/cat", "/proc/self/oom_score_adj"));
        int server = int.Parse(await File.ReadAllTextAsync($"/proc/{Server.Id}/oom_score_adj"));
        Assert.That(int.Parse(told.Stdout), Is.EqualTo(1000).And.GreaterThan(server), told.ToString());
    }

    private int OpenFilesMax() => int.Parse(
        File.ReadLines($"/proc/{Server.Id}/limits").Single(line => line.StartsWith("Max open files", StringComparison.Ordinal))
            .Split(' ', StringSplitOptions.RemoveEmptyEntries)[4]);

    private Task<RawResult> TakeAsync(string what) => HostileAsync("take", what);

    private Task<RawResult> HostileAsync(params string[] arguments) => Executor.ExecuteAsync(new RawAction(["./" + HostileProgram.Name, .. arguments])
    {
        Inputs = [(HostileProgram.Name, _hostile, true)],
    });
}
