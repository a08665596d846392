using System.Security.Cryptography;
using RemoteExec.Conformance;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.Server.Tests;

/// <summary>
/// How long what a client was told of is there (REAPI 5.6: 9). Bazel from 7 on and Buck2 remember for three hours what is stored and upload it no more; what Buck2 counts
/// with may be twice that. A whole server, its disk, and a clock that is moved; asked by the messages that clients write.
/// </summary>
public sealed class KeptBlobTests
{
    private const string Service = "build.bazel.remote.execution.v2.";
    private const string FindMissing = Service + "ContentAddressableStorage/FindMissingBlobs";
    private const string UpdateBlobs = Service + "ContentAddressableStorage/BatchUpdateBlobs";
    private const string GetResult = Service + "ActionCache/GetActionResult";
    private const string UpdateResult = Service + "ActionCache/UpdateActionResult";

    // The least of --max-cas-size, in parts that one batch takes.
    private const string StoreSize = "64MiB";
    private const int StoreParts = 21;
    private const int PartBytes = 3 << 20;

    // Of the wall's clock, by which a promise of six hours may end earlier than by the other.
    private static readonly TimeSpan Moment = TimeSpan.FromMinutes(1);

    private static readonly TimeSpan Promised = TimeSpan.FromHours(6);

    [TestCase(3, 0)] // REAPI 5.6: 9, BR6, C1, A1
    [TestCase(6, 0)]
    [TestCase(3, StoreParts * 5 / 8)] // more than half is promised when they are asked for: a hit is worth three hours
    public async Task What_was_uploaded_found_or_hit_is_there_for_hours_though_the_store_is_full(int hours, int promisedBefore)
    {
        var time = new ManualTime();
        await using var server = await InProcessServer.StartAsync(time, "--roles", "coordinator,storage", "--max-cas-size", StoreSize);
        using var client = new RawClient(new Uri($"http://{server.Host.Rpc.EndPoint}"), TimeSpan.FromMinutes(2));
        byte[] forgotten = Random(1000), found = Random(1000), output = Random(1000), uploaded = Random(1000), key = Random(80);
        await UploadAsync(client, forgotten, found, output);
        await OkAsync(client, UpdateResult, Of((2, DigestOf(key)), (3, Of((2, Of((1, "out"), (2, DigestOf(output))))))));
        time.Advance(Promised + Moment); // nobody was promised anything any more
        for (int i = 0; i < promisedBefore; i++) await UploadAsync(client, Random(PartBytes));

        await UploadAsync(client, uploaded);
        Assert.That(await MissingAsync(client, found), Is.Empty);
        await OkAsync(client, GetResult, Of((2, DigestOf(key))));
        await FillAsync(client);
        time.Advance(TimeSpan.FromHours(hours) - Moment);
        await FillAsync(client);

        Assert.That(await MissingAsync(client, uploaded, found, output, forgotten), Is.EqualTo([HashOf(forgotten)]), "the store was full: what nobody asked for is gone");
        await OkAsync(client, GetResult, Of((2, DigestOf(key))));
    }

    [Test]
    public void Six_hours_are_promised_unless_somebody_says_otherwise() => Assert.That(Options.Of().Retention, Is.EqualTo(Promised));

    /// <summary>Until nothing more is taken, so that whatever may go has gone.</summary>
    private static async Task FillAsync(RawClient client)
    {
        for (int i = 0; i <= StoreParts; i++)
        {
            var (status, _, message) = await StoreAsync(client, Random(PartBytes));
            if (status == RawStatus.Ok) continue;

            Assert.That(status, Is.EqualTo(RawStatus.ResourceExhausted), message);
            return;
        }

        Assert.Fail("the store takes more than it may have");
    }

    private static async Task UploadAsync(RawClient client, params byte[][] contents)
    {
        foreach (byte[] content in contents) Assert.That((await StoreAsync(client, content)).Status, Is.EqualTo(RawStatus.Ok));
    }

    private static async Task<(RawStatus Status, string Hash, string Message)> StoreAsync(RawClient client, byte[] content)
    {
        var answer = await OkAsync(client, UpdateBlobs, Of((2, Of((1, DigestOf(content)), (2, content)))));
        var stored = answer.Message(1);
        return ((RawStatus)stored.Message(2).Number(1), stored.Message(1).Text(1), stored.Message(2).Text(2));
    }

    private static async Task<IReadOnlyList<string>> MissingAsync(RawClient client, params byte[][] contents)
    {
        var answer = await OkAsync(client, FindMissing, Of([.. contents.Select(content => (2, (object?)DigestOf(content)))]));
        return [.. answer.Messages(2).Select(digest => digest.Text(1))];
    }

    private static async Task<RawFields> OkAsync(RawClient client, string method, byte[] request)
    {
        var answer = await client.CallAsync(method, [request]);
        Assert.That(answer.Status, Is.EqualTo(RawStatus.Ok), answer.Detail);
        return RawFields.Parse(answer.Answer.AsMemory(RawClient.PrefixBytes));
    }

    private static byte[] Random(int bytes) => RandomNumberGenerator.GetBytes(bytes);

    private static string HashOf(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private static byte[] DigestOf(byte[] content) => Of((1, HashOf(content)), (2, content.Length));
}
