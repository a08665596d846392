using System.Net;
using Grpc.Core;
using Grpc.Health.V1;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace RemoteExec.Server.Tests;

/// <summary>A server whose disk is full says so once, refuses what it cannot promise, and goes on by itself when there is room.</summary>
public sealed class FullDiskTests
{
    // Far beyond what any of it takes; a hang becomes a failure.
    private static readonly TimeSpan Within = TimeSpan.FromSeconds(60);

    [Test]
    public async Task A_full_journal_disk_ends_readiness_and_room_brings_it_back()
    {
        using var folder = new TemporaryFolder();
        string journal = folder.Combine("journal");
        using var disk = Mount.Tmpfs(journal, "size=1m");
        await using var server = ServerProgram.Start("--data-dir", folder.Path);
        using var client = new RemoteClient(await server.ReadyAsync());
        using var http = new HttpClient { BaseAddress = server.HttpAddress };
        using var watch = client.Health.Watch(new HealthCheckRequest(), new CallOptions());
        Assert.That(await NextAsync(watch), Is.EqualTo(ServingStatus.Serving));

        disk.Fill();
        // Its result is larger than what is left of the journal's last page.
        var running = client.RunAsync("ln -s $(head -c 4000 /dev/zero | tr '\\0' x) out.txt; head -c 4000 /dev/zero >&2");
        Assert.That(await NextAsync(watch), Is.EqualTo(ServingStatus.NotServing));
        using var during = await http.GetAsync("readyz");
        Assert.That(during.StatusCode, Is.EqualTo(HttpStatusCode.ServiceUnavailable));
        Assert.That(await during.Content.ReadAsStringAsync(), Does.Contain(journal).And.Contains("full"));

        disk.Empty();
        Assert.That(await NextAsync(watch), Is.EqualTo(ServingStatus.Serving));
        using var after = await http.GetAsync("readyz");
        Assert.That(after.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        Assert.That((await running.WaitAsync(Within)).Result.StderrDigest.SizeBytes, Is.EqualTo(4000), "what was under way is lost to nobody");

        server.Terminate();
        Assert.That(await server.ExitedAsync(), Is.Zero, () => server.Error);
        string[] lines = [.. server.Error.Split('\n').Where(line => line.Contains("ready", StringComparison.Ordinal))];
        Assert.That(lines, Has.Length.EqualTo(3), () => server.Error);
        Assert.That(lines[1], Does.Contain("\"not_ready\"").And.Contains(journal).And.Contains("free some space"));
        Assert.That(lines[2], Does.Contain("\"ready_again\""));
    }

    [Test]
    public async Task A_server_that_was_killed_on_a_full_disk_comes_back_there_and_serves_what_it_has()
    {
        using var folder = new TemporaryFolder();
        string image = folder.Combine("image");
        using (var file = File.Create(image)) file.SetLength(64 << 20);
        Mount.Run("mkfs.ext4", "-q", image);
        using var disk = Mount.Image(image, folder.Combine("data"), "noatime");
        Digest output;
        await using (var first = ServerProgram.Start("--data-dir", disk.Path))
        {
            using var client = new RemoteClient(await first.ReadyAsync());
            output = WireDigests.FromWire((await client.RunAsync("head -c 100000 /dev/zero > out.txt")).Result.OutputFiles.Single().Digest, DigestFunction.Sha256, "digest");
            await first.KillAsync();
        }

        disk.Fill();
        await using var second = ServerProgram.Start("--data-dir", disk.Path);
        using var again = new RemoteClient(await second.ReadyAsync());

        Assert.That(await again.Blobs.FindMissingAsync([output], default), Is.Empty);
        Assert.That((await again.Blobs.ReadAllAsync(output, 100_000, default))!.Value.Length, Is.EqualTo(100_000));
        disk.Empty();
        Assert.That((await again.RunAsync("echo hello > out.txt")).Result.ExitCode, Is.Zero, "and with room it works again");
        second.Terminate();
        Assert.That(await second.ExitedAsync(), Is.Zero, () => second.Error);
    }

    private static async Task<ServingStatus> NextAsync(AsyncServerStreamingCall<HealthCheckResponse> watch)
    {
        Assert.That(await watch.ResponseStream.MoveNext(CancellationToken.None).WaitAsync(Within));
        return watch.ResponseStream.Current.Status;
    }
}
