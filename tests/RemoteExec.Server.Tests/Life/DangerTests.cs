using System.Net;

namespace RemoteExec.Server.Tests;

/// <summary>What is dangerous about a server's settings stops nobody, and is told wherever somebody looks.</summary>
public sealed class DangerTests
{
    [Test]
    public async Task A_limit_that_the_disk_has_no_room_for_is_told_at_the_start_in_the_log_and_by_readyz()
    {
        using var folder = new TemporaryFolder();
        using var disk = Mount.Tmpfs(folder.Combine("disk"), "size=128m");
        await File.WriteAllBytesAsync(Path.Combine(disk.Path, "of somebody else"), new byte[16 << 20]);
        await using var server = ServerProgram.Start("--data-dir", Path.Combine(disk.Path, "data"), "--max-cas-size", "100%");
        await server.ReadyAsync();
        using var http = new HttpClient { BaseAddress = server.HttpAddress };

        using var answer = await http.GetAsync("readyz");
        string[] lines = (await answer.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);

        Assert.That((answer.StatusCode, lines[0], lines.Length), Is.EqualTo((HttpStatusCode.OK, "ready", 2)));
        Assert.That(lines[1], Does.StartWith("warning: the store may grow to ").And.Contain(disk.Path).And.Contain("--max-cas-size"));
        server.Terminate();
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);
        string warning = lines[1]["warning: ".Length..];
        Assert.That(server.Output, Does.Contain($"WARNING: {warning}"));
        Assert.That(server.Error.Split('\n').Single(line => line.Contains("dangerous_setting", StringComparison.Ordinal)), Does.Contain(warning));
    }

    [Test]
    public async Task A_server_without_dangers_is_ready_and_says_no_more()
    {
        using var folder = new TemporaryFolder();
        await using var server = ServerProgram.Start("--data-dir", folder.Path);
        await server.ReadyAsync();
        using var http = new HttpClient { BaseAddress = server.HttpAddress };

        Assert.That(await http.GetStringAsync("readyz"), Is.EqualTo("ready\n"));
        server.Terminate();
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);
    }
}
