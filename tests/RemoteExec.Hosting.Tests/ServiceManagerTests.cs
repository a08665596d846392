using System.Net.Sockets;
using System.Text;
using NUnit.Framework;

namespace RemoteExec.Hosting.Tests;

/// <summary>sd_notify(3), with this test in the place of systemd.</summary>
public sealed class ServiceManagerTests
{
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    [Test]
    public async Task A_service_manager_hears_that_it_is_ready_alive_and_stopping()
    {
        using var folder = new TemporaryFolder();
        using var manager = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        manager.Bind(new UnixDomainSocketEndPoint(folder.Combine("notify")));
        var environment = new Dictionary<string, string> { ["NOTIFY_SOCKET"] = folder.Combine("notify"), ["WATCHDOG_USEC"] = "200000" };

        await using var program = ScriptedProcess.Start(ScriptedLife.Serve, environment, "--drain-limit", "90s");
        Assert.That(await HearAsync(manager), Is.EqualTo("READY=1"));
        Assert.That(await HearAsync(manager), Is.EqualTo("WATCHDOG=1"));
        program.Signal(ScriptedProcess.SIGTERM);

        Assert.That(await HearNewsAsync(manager), Is.EqualTo("STOPPING=1"));
        Assert.That(await HearNewsAsync(manager), Is.EqualTo("EXTEND_TIMEOUT_USEC=100000000"), "the drain may take its limit and a little");
        Assert.That((await program.EndAsync()).ExitCode, Is.Zero);
    }

    // Signs of life go on until the end.
    private static async Task<string> HearNewsAsync(Socket manager)
    {
        string word = await HearAsync(manager);
        while (word == "WATCHDOG=1") word = await HearAsync(manager);
        return word;
    }

    private static async Task<string> HearAsync(Socket manager)
    {
        byte[] word = new byte[256];
        int length = await manager.ReceiveAsync(word).WaitAsync(Within);
        return Encoding.UTF8.GetString(word, 0, length);
    }
}
