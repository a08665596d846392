using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Storage;
using RemoteExec.Storage.S3.Tests;

namespace RemoteExec.Server.Tests;

/// <summary>Servers whose blobs are not on their own disk alone: on other servers, or in a bucket behind.</summary>
[NonParallelizable] // credentials are variables of the process
public sealed class FarStoreTests
{
    // A hang becomes a failure. After an outage the bucket is asked again within half a minute, and the machine may be busy.
    private static readonly TimeSpan AnswerMax = TimeSpan.FromMinutes(3);

    [Test]
    public async Task Actions_run_on_blobs_that_two_other_servers_keep_and_go_on_when_one_is_lost()
    {
        await using var one = await InProcessServer.StartAsync("--roles", "storage");
        await using var other = await InProcessServer.StartAsync("--roles", "storage");
        await using var front = await InProcessServer.StartAsync("--storage", $"{AddressOf(one)},{AddressOf(other)}", "--storage-mirrored", "--sandbox", "off");

        var before = await front.Client.RunAsync("echo one > out.txt");
        await one.DropAsync();
        var after = await front.Client.RunAsync("echo two > out.txt; echo three");
        var again = await front.Client.RunAsync("echo one > out.txt");

        Assert.That((before.Result?.ExitCode, after.Result?.ExitCode, again.CachedResult), Is.EqualTo(((int?)0, (int?)0, true)), $"{before} {after} {again}");
        var digest = Digest.Of(DigestFunction.Sha256, "two\n"u8);
        Assert.That(await other.Client.Blobs.FindMissingAsync([digest], default), Is.Empty, "what is made after it was lost is with the other");
        Assert.That(await TextAsync(front.Client.Blobs, digest), Is.EqualTo("two\n"));
    }

    [Test]
    public async Task Blobs_that_one_of_two_servers_lost_come_back_to_it_by_being_asked_for()
    {
        await using var one = await InProcessServer.StartAsync("--roles", "storage");
        await using var other = await InProcessServer.StartAsync("--roles", "storage");
        await using var front = await InProcessServer.StartAsync(
            "--roles", "coordinator", "--storage", AddressOf(one), "--storage", AddressOf(other), "--storage-mirrored");
        // As after it came back empty: only the other has them.
        var digests = new List<Digest>();
        for (int i = 0; i < 20; i++) digests.Add(await other.Client.Blobs.WriteAllAsync(DigestFunction.Sha256, new byte[1000 + i], default));

        Assert.That(await front.Client.Blobs.FindMissingAsync(digests, default), Is.Empty);
        using var limit = new CancellationTokenSource(AnswerMax);
        while ((await one.Client.Blobs.FindMissingAsync(digests, limit.Token)).Count > 0)
        {
        }
    }

    [Test]
    public async Task Blobs_come_to_a_bucket_behind_the_disk_and_back_from_it_and_an_outage_of_it_fails_nothing()
    {
        using var credentials = new Variables(("AWS_ACCESS_KEY_ID", "key"), ("AWS_SECRET_ACCESS_KEY", "secret"));
        await using var bucket = await SmallS3.StartAsync();
        string[] flags = ["--s3-bucket", SmallS3.Bucket, "--s3-endpoint", bucket.Address.ToString(), "--s3-path-style", "--sandbox", "off"];
        await using (var server = await InProcessServer.StartAsync(flags))
        {
            Assert.That((await server.Client.RunAsync("echo one > out.txt")).Result.ExitCode, Is.Zero);
            await bucket.StoredAsync($"rexec/cas/sha256/{Key("one\n")}").WaitAsync(AnswerMax);
        }

        // Another server, with an empty disk: it has what the first one made.
        await using var next = await InProcessServer.StartAsync(flags);
        Assert.That(await TextAsync(next.Client.Blobs, Digest.Of(DigestFunction.Sha256, "one\n"u8)), Is.EqualTo("one\n"));

        bucket.Failure = (503, "SlowDown");
        var response = await next.Client.RunAsync("echo two > out.txt");
        Assert.That(response.Result?.ExitCode, Is.Zero, response.Message);
        var absent = Digest.Of(DigestFunction.Sha256, "nobody has this"u8);
        Assert.That(await next.Client.Blobs.FindMissingAsync([absent], default), Is.EqualTo(new[] { absent }));

        bucket.Failure = null;
        await bucket.StoredAsync($"rexec/cas/sha256/{Key("two\n")}").WaitAsync(AnswerMax);
        Assert.That(await next.Http.GetStringAsync("metrics"), Does.Contain("remoteexec_bucket_reads_total{result=\"hit\"} 1"));
    }

    private static string Key(string text)
    {
        var digest = Digest.Of(DigestFunction.Sha256, System.Text.Encoding.UTF8.GetBytes(text));
        return $"{digest.Hash[..2]}/{digest.Hash}-{digest.SizeBytes}";
    }

    private static string AddressOf(InProcessServer server) => server.Host.Rpc.EndPoint.ToString();

    private static async Task<string?> TextAsync(IBlobStore store, Digest digest) =>
        await store.ReadAllAsync(digest, maxBytes: 1000, default) is { } data ? System.Text.Encoding.UTF8.GetString(data.Span) : null;

    /// <summary>Variables of this process, for as long as it lives.</summary>
    private sealed class Variables : IDisposable
    {
        private readonly string[] _names;

        public Variables(params (string Name, string Value)[] variables)
        {
            _names = [.. variables.Select(variable => variable.Name)];
            foreach (var (name, value) in variables) Environment.SetEnvironmentVariable(name, value);
        }

        public void Dispose()
        {
            foreach (string name in _names) Environment.SetEnvironmentVariable(name, null);
        }
    }
}
