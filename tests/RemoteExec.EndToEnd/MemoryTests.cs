using NUnit.Framework;

namespace RemoteExec.EndToEnd;

/// <summary>Too much memory ends an action, in words that say why and what to do; never the server or another action's.</summary>
public sealed class MemoryTests
{
    private const string AllowedText = "64MiB";
    private const int AllowedMebibytes = 64, ScratchBytes = 4 << 20;

    [Test]
    public async Task An_action_beyond_its_limit_is_killed_and_told_the_limit_and_the_remedy()
    {
        await using var server = await StartLimitedAsync();
        using var executor = new RawExecutor(server.GrpcAddress);
        await Walls.RequireAsync(server, "limits");
        var hostile = await executor.StoreAsync(HostileProgram.Bytes);

        foreach (string what in (string[])["memory", "memory in a file", "memory in pieces"])
        {
            var result = await executor.ExecuteAsync(Take(hostile, what));

            Assert.That(result.Status, Is.EqualTo(RawStatus.ResourceExhausted), result.ToString());
            Assert.That(result.Message, Does.Contain($"{AllowedMebibytes} MiB").And.Contain("--action-memory"));
            await AssertServesAsync(executor);
        }
        await server.StopAsync();
    }

    [Test]
    public async Task A_full_scratch_is_an_answer_to_the_action_and_nothing_of_it_stays()
    {
        await using var server = await StartLimitedAsync();
        using var executor = new RawExecutor(server.GrpcAddress);
        await Walls.RequireAsync(server, "root");
        var hostile = await executor.StoreAsync(HostileProgram.Bytes);

        // More often than would fit, were anything left of those before.
        for (int i = 0; i < 2 * AllowedMebibytes * (1 << 20) / ScratchBytes; i++)
        {
            var result = await executor.ExecuteAsync(Take(hostile, i % 2 == 0 ? "/tmp" : "/dev/shm"));
            Assert.That(result.Stdout, Is.EqualTo($"ENOSPC {ScratchBytes}\n"), result.ToString());
        }
        await AssertServesAsync(executor);
        await server.StopAsync();
    }

    [Test]
    public async Task Without_a_limit_actions_die_before_the_server_when_there_is_no_more()
    {
        using var group = MemoryGroup.TryMake(limitBytes: 384 << 20);
        if (group is null) Assert.Ignore("no cgroup of version 1 can be made here, in which server and actions run out of memory together");
        string program = Path.Combine(Directory.CreateDirectory(Lab.NewFolder("group")).FullName, "server-in-group");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\necho $$ > {group.Path}/tasks && exec {BuiltPrograms.Server} \"$@\"\n");
        File.SetUnixFileMode(program, (UnixFileMode)0b111_101_101);
        await using var server = await ServerProcess.StartProgramAsync(program, Lab.NewFolder("server"), "--slots", "2");
        using var executor = new RawExecutor(server.GrpcAddress);
        await Walls.RequireAsync(server, "limits");
        var hostile = await executor.StoreAsync(HostileProgram.Bytes);

        // Each of its processes is much smaller than the server: the largest would not be the right one to take.
        foreach (string what in (string[])["memory in pieces", "memory in a file"])
        {
            var result = await executor.ExecuteAsync(Take(hostile, what));

            Assert.That(result.Status, Is.EqualTo(RawStatus.ResourceExhausted), result.ToString());
            Assert.That(result.Message, Does.Contain("ran out of memory").And.Contain("--slots").And.Contain("--action-memory"));
            await AssertServesAsync(executor);
        }
        await server.StopAsync();
    }

    private static Task<ServerProcess> StartLimitedAsync() => ServerProcess.StartAsync(
        Lab.NewFolder("server"), "--slots", "1", "--action-memory", AllowedText, "--action-scratch", $"{ScratchBytes}B");

    private static RawAction Take(RawBlob hostile, string what) => new("./" + HostileProgram.Name, "take", what)
    {
        Inputs = [(HostileProgram.Name, hostile, true)],
    };

    private static async Task AssertServesAsync(RawExecutor executor)
    {
        var next = await executor.ExecuteAsync(new RawAction("/bin/echo", "fine"));
        Assert.That((next.Status, next.Stdout), Is.EqualTo((RawStatus.Ok, "fine\n")), next.ToString());
    }
}
