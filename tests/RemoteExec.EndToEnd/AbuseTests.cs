using NUnit.Framework;
using static RemoteExec.Conformance.RawMessage;

namespace RemoteExec.EndToEnd;

/// <summary>
/// What a hostile client sends, byte by byte, to one real server that lives through all of it: the right code, nothing
/// left in the store or beside it, and the next honest call is served; and its memory stays bounded (REAPI 1.14, TRUST 4.1).
/// </summary>
public sealed class AbuseTests
{
    // Several times what the server has after all of them, much less than what the smallest of them could ask for: 1.3 GB out of a frame of 40 KB.
    private const long MemoryMax = 1L << 30;

    // One call's, above what was resident before it. The largest that is taken at all is a directory of 15 MB, which is some 200 MB of objects while it is looked at.
    private const long GrowthMax = 512L << 20;

    private const int BatchedMax = 1 << 20;

    private ServerProcess? _server;
    private RawClient? _client;
    private string _data = "";

    private static IEnumerable<HostileCall> Calls => HostileCalls.All;

    private ServerProcess Server => _server ?? throw new InvalidOperationException("the server was not started");

    private RawClient Client => _client ?? throw new InvalidOperationException("the server was not started");

    [OneTimeSetUp]
    public async Task StartServerAsync()
    {
        _data = Lab.NewFolder("server");
        _server = await ServerProcess.StartAsync(_data);
        _client = new RawClient(new Uri($"http://{_server.GrpcAddress}"), TimeSpan.FromMinutes(2));
    }

    [OneTimeTearDown]
    public async Task StopServerAsync()
    {
        _client?.Dispose();
        if (_server is null) return;
        await using var server = _server;
        await server.StopAsync();
        await server.NothingLeftAsync();
    }

    [TestCaseSource(nameof(Calls))]
    public async Task Abuse_gets_its_code_and_leaves_nothing(object abuse)
    {
        var call = (HostileCall)abuse;
        await StoreAsync(call.Blobs);
        var before = await StoredAsync();
        long resident = PeakMemory.Reset(Server.Id);

        var (status, detail, _) = await Client.CallAsync(call.Method, call.Messages, call.Headers);

        Assert.That(status, Is.EqualTo(call.Expected), detail);
        Assert.That(await StoredAsync(), Is.EqualTo(before), "blobs, their bytes and temporary files");
        Assert.That((await Client.CallAsync("build.bazel.remote.execution.v2.Capabilities/GetCapabilities", [[]])).Status, Is.EqualTo(RawStatus.Ok));
        long peak = PeakMemory.BytesOf(Server.Id);
        await TestContext.Out.WriteLineAsync($"memory: {resident >> 20} MiB before, {peak >> 20} MiB at most");
        Assert.That(peak, Is.LessThan(Math.Min(MemoryMax, resident + GrowthMax)), "memory of the server, at its highest during this call");
    }

    [Test]
    public async Task Hundreds_of_uploads_that_claim_much_and_send_one_byte_leave_room_for_others()
    {
        for (int i = 0; i < 200; i++)
        {
            string name = $"uploads/{Guid.NewGuid()}/blobs/{HostileCalls.HashOf(BitConverter.GetBytes(i))}/{1L << 30}";
            var (status, detail, _) = await Client.CallAsync("google.bytestream.ByteStream/Write", [Of((1, name), (10, "x"))]);
            Assert.That(status, Is.EqualTo(RawStatus.Ok), detail);
        }

        double before = await Server.MetricAsync("remoteexec_cas_blobs");
        await StoreAsync([new byte[3_000_000]]);
        Assert.That(await Server.MetricAsync("remoteexec_cas_blobs"), Is.EqualTo(before + 1));
    }

    private async Task StoreAsync(IReadOnlyList<byte[]> blobs)
    {
        foreach (byte[] large in blobs.Where(blob => blob.Length > BatchedMax))
        {
            string name = $"uploads/{Guid.NewGuid()}/blobs/{HostileCalls.HashOf(large)}/{large.Length}";
            var pieces = large.Chunk(1 << 20).Select((piece, i) => Of((1, name), (2, (long)i << 20), (3, (i + 1) << 20 >= large.Length ? true : null), (10, piece)));
            var (status, detail, _) = await Client.CallAsync("google.bytestream.ByteStream/Write", pieces);
            Assert.That(status, Is.EqualTo(RawStatus.Ok), detail);
        }

        foreach (var batch in BlobBatches.Of(blobs.Where(blob => blob.Length is > 0 and <= BatchedMax), blob => blob.Length))
        {
            var requests = batch.Select(blob => (2, (object?)Of((1, HostileCalls.DigestOf(blob)), (2, blob))));
            var (status, detail, _) = await Client.CallAsync(
                "build.bazel.remote.execution.v2.ContentAddressableStorage/BatchUpdateBlobs", [Of([.. requests])]);
            Assert.That(status, Is.EqualTo(RawStatus.Ok), detail);
        }
    }

    private async Task<(double Blobs, double Bytes, int Temporaries)> StoredAsync() => (
        await Server.MetricAsync("remoteexec_cas_blobs"),
        await Server.MetricAsync("remoteexec_cas_size_bytes"),
        Directory.EnumerateFiles(Path.Combine(_data, "cas"), "*", SearchOption.AllDirectories)
            .Count(path => !path.Contains("/cas/blobs/", StringComparison.Ordinal)));
}
