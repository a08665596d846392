using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace RemoteExec.Server.Tests;

/// <summary>What an operator reads in the log of one life of a server, all of it.</summary>
public sealed class LogTests
{
    [Test]
    public async Task A_quiet_life_is_told_in_its_steps_and_nothing_else_is()
    {
        using var folder = new TemporaryFolder();
        await using var server = ServerProgram.Start("--data-dir", folder.Path, "--log-level", "info");
        var address = await server.ReadyAsync();
        await server.SaysAsync("worker_joined");
        // A client that is after a service of somebody else's, many times, with more than anybody reads.
        using var http = new HttpClient { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        for (int i = 0; i < 20; i++)
        {
            using var content = new ByteArrayContent(new byte[1 << 20]);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
            using var answer = await http.PostAsync(new Uri(address, "/buildstream.v2.ReferenceStorage/Status"), content);
            Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        }

        server.Terminate();
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);

        string[] events = [.. server.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(EventOf)];
        Assert.That(events, Is.EquivalentTo(new[]
        {
            "recovered", "ready", "joined", "worker_joined", "unknown_method", "draining", "draining", "drain_idle", "worker_draining", "worker_left", "stopped",
        }), () => server.Error);
        Assert.That(events[0], Is.EqualTo("recovered"));
        Assert.That(events[^1], Is.EqualTo("stopped"));
    }

    private static string EventOf(string line)
    {
        using var parsed = JsonDocument.Parse(line);
        return parsed.RootElement.TryGetProperty("event", out var name) ? name.GetString()! : line;
    }
}
