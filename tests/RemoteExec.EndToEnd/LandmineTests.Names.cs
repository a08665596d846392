using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <content>Names of programs, and what is announced (REAPI 5.6: 11, 14).</content>
public sealed partial class LandmineTests
{
    [TestCase("./bin\\tool", "bin\\tool")] // REAPI 5.6: 11, X2
    [TestCase("sub/bin\\tool", "sub/bin\\tool")]
    public async Task A_backslash_in_a_programs_name_is_a_letter_to_a_worker_of_Linux(string program, string path)
    {
        // What a worker that rewrites separators would run instead.
        var decoy = await Executor.StoreAsync("#!/bin/sh\nprintf decoy > out\n"u8.ToArray());
        var tool = await Executor.StoreAsync("#!/bin/sh\nprintf \"%s\" \"$0\" > out\n"u8.ToArray());
        var result = await Executor.ExecuteAsync(new RawAction(program)
        {
            Inputs = [(path, tool, true), (path.Replace('\\', '/'), decoy, true)], Outputs = ["out"],
        });

        Assert.That(result.Status, Is.EqualTo(RawStatus.Ok), result.Message);
        Assert.That((await Executor.ReadAsync(result.Outputs["out"])).Content, Is.EqualTo(System.Text.Encoding.UTF8.GetBytes(program)), "byte for byte");
    }

    [Test] // REAPI 5.6: 11, X2; Bazel up to 7 on Windows, with workers of Linux
    public async Task A_path_with_the_separators_of_Windows_is_one_name_that_is_not_there()
    {
        const string program = @"bazel-out\x64_windows-fastbuild\bin\tool.exe";
        var tool = await Executor.StoreAsync("#!/bin/sh\nprintf decoy > out\n"u8.ToArray());

        var result = await Executor.ExecuteAsync(new RawAction(program) { Inputs = [(program.Replace('\\', '/'), tool, true)], Outputs = ["out"] });

        Assert.That(result.Status, Is.EqualTo(RawStatus.FailedPrecondition), result.Message);
        Assert.That(result.Message, Does.Contain($"\"{program.Replace("\\", @"\\", StringComparison.Ordinal)}\" does not exist on PATH="));
    }

    [Test] // REAPI 5.6: 11, E4; there is no worker of Windows, and nobody waits for one
    public async Task An_action_for_Windows_is_refused_with_what_there_is_instead()
    {
        byte[] command = Of((1, @"bin\tool.exe"), (1, @"C:\in"), (5, Property("OSFamily", "windows")));
        byte[] action = Of((1, Digest(command)), (2, Digest([])), (10, Property("OSFamily", "windows")));
        await Executor.StoreAllAsync(command, action);

        var (status, detail) = await Executor.TryRunAsync(Of((6, Digest(action))));

        Assert.That(status, Is.EqualTo(RawStatus.FailedPrecondition), detail);
        Assert.That(detail, Does.Contain("no worker matches this action").And.Contain("it asks for OSFamily=windows, the nearest that is offered is OSFamily=linux"));
        Assert.That(await _server!.MetricAsync("remoteexec_queue_operations", "state=\"queued\""), Is.Zero);
    }

    [Test] // REAPI 5.6: 14; a client asks one replica, and sends to another
    public async Task Replicas_of_one_configuration_announce_the_same_bytes_and_do_after_a_restart()
    {
        string[] flags = ["--chunk-size", "64KiB", "--unnamed-digest-function", "blake3", "--absolute-symlinks", "allowed"];
        await using var one = await ServerProcess.StartAsync(Lab.NewFolder("server"), flags);
        await using var other = await ServerProcess.StartAsync(Lab.NewFolder("server"), [.. flags, "--slots", "1"]);
        byte[] first = await AnnouncedAsync(one), second = await AnnouncedAsync(other);
        await other.KillAsync();
        await other.RestartAsync();
        byte[] restarted = await AnnouncedAsync(other);

        Assert.That(second, Is.EqualTo(first));
        Assert.That(restarted, Is.EqualTo(first));
        Assert.That(await AnnouncedAsync(_server!), Is.Not.EqualTo(first), "it is told by configuration at all");
        await one.StopAsync();
        await other.StopAsync();

        static async Task<byte[]> AnnouncedAsync(ServerProcess server)
        {
            using var executor = new RawExecutor(server.GrpcAddress);
            var answer = await executor.AnswerAsync(CapabilitiesMethod, []);
            Assert.That(answer.Status, Is.EqualTo(RawStatus.Ok), answer.Detail);
            return answer.Answer;
        }
    }
}
