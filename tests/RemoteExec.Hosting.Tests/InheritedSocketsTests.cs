using System.Collections;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

/// <summary>sd_listen_fds(3), with systemd's own program for trying it.</summary>
public sealed class InheritedSocketsTests
{
    [Test]
    public async Task Sockets_are_known_by_their_names_and_stay_with_this_process()
    {
        var first = new IPEndPoint(IPAddress.Loopback, FreePort.Next());
        var second = new IPEndPoint(IPAddress.Loopback, FreePort.Next());
        await using var program = ScriptedProcess.StartUnder(
            ["systemd-socket-activate", "-l", $"{first}", "-l", $"{second}", "--fdname=grpc:http"], ScriptedLife.ShowSockets);
        // It starts the program when somebody connects, and says on standard error that it listens.
        while (await program.ReadErrorLineAsync() is { } line && !line.Contains($"{second}", StringComparison.Ordinal))
        {
        }

        using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(first);

        Assert.That(await program.ReadLineAsync(), Is.EqualTo("welcome"));
        Assert.That(await program.ReadLineAsync(), Is.EqualTo($"grpc {first}"));
        Assert.That(await program.ReadLineAsync(), Is.EqualTo($"http {second}"));
        Assert.That(await program.ReadLineAsync(), Is.EqualTo("end of child"), "a child has no socket at that descriptor");
        program.Signal(ScriptedProcess.SIGTERM);
        Assert.That((await program.EndAsync()).ExitCode, Is.Zero);
    }

    [TestCase(null, "2")]
    [TestCase("1", "2", Description = "another process was meant")]
    [TestCase("ours", null)]
    [TestCase("ours", "-1")]
    public void Nothing_is_taken_that_was_not_meant_for_us(string? process, string? count)
    {
        var environment = new Hashtable
        {
            ["LISTEN_PID"] = process == "ours" ? Environment.ProcessId.ToString(CultureInfo.InvariantCulture) : process,
            ["LISTEN_FDS"] = count,
        };

        Assert.That(InheritedSockets.Take(environment), Is.Empty);
    }
}
