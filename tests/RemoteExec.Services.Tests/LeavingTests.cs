using System.Buffers.Binary;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Rpc.Tests;

namespace RemoteExec.Services.Tests;

/// <summary>Clients that reset their streams at any moment. That is theirs to do: nobody is told of it but the counter.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class LeavingTests : ServicesFixture
{
    private const int Resets = 1000;

    private readonly CollectedLog _log = new();
    private readonly RecordedCalls _calls = new();

    protected override ILoggerFactory Log => _log;

    protected override IReadOnlyList<IRpcObserver> Observers => [_calls];

    [TestCase("/google.bytestream.ByteStream/Write")]
    [TestCase("/google.bytestream.ByteStream/Read")]
    [TestCase("/build.bazel.remote.execution.v2.ContentAddressableStorage/FindMissingBlobs")]
    public async Task F08_a_client_that_resets_is_counted_as_cancelled_and_logged_nowhere(string method)
    {
        var large = await Storage.BlobStoreExtensions.WriteAllAsync(Store, DigestFunction.Sha256, new byte[1 << 20], Soon);
        bool isUnary = method.EndsWith("Blobs", StringComparison.Ordinal);
        using var peer = await Http2Peer.ConnectAsync(EndPoint, (0x4, 1024)); // INITIAL_WINDOW_SIZE: a Read cannot end

        for (int i = 0; i < Resets; i++)
        {
            int stream = (2 * i) + 1;
            byte[] request = Frame(RequestOf(method, large)); // each upload under a name of its own: none takes over from another
            await peer.StartCallAsync(stream, method);
            // Of a unary request half: with the whole it might be answered before the reset. Of a stream a whole message, whose handling has begun.
            if (i % 3 > 0) await peer.SendDataAsync(stream, isEnd: method.EndsWith("Read", StringComparison.Ordinal), isUnary ? request[..^1] : request);
            if (i % 7 == 0) await peer.PingAsync(); // sometimes the server has seen all of it, mostly it is in the middle of something
            await peer.SendResetAsync(stream, Http2Error.Cancel);
            peer.Unread.Clear();
        }

        var reports = new List<(string, StatusCode)>(Resets);
        while (reports.Count < Resets)
        {
            var report = await _calls.NextAsync();
            reports.Add((report.Method, report.StatusCode));
        }

        Assert.That(reports, Is.All.EqualTo((method, StatusCode.Cancelled)));
        await StopPortAsync(); // what the web server says of a call, it says after its end
        _calls.AssertNoMore();
        Assert.That(_log.Told, Is.Empty);
    }

    private static IMessage RequestOf(string method, Digest large) => method switch
    {
        _ when method.EndsWith("Write", StringComparison.Ordinal) => new WriteRequest
        {
            ResourceName = $"uploads/{Guid.NewGuid()}/blobs/{DigestOf("not this").Hash}/100000", Data = ByteString.CopyFrom(new byte[500]),
        },
        _ when method.EndsWith("Read", StringComparison.Ordinal) => new ReadRequest { ResourceName = $"blobs/{large}" },
        _ => new FindMissingBlobsRequest { BlobDigests = { large.ToWire() } },
    };

    private static byte[] Frame(IMessage message)
    {
        byte[] framed = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), framed.Length - 5);
        message.WriteTo(framed.AsSpan(5));
        return framed;
    }
}
