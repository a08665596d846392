using System.Buffers.Binary;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Rpc.Tests;
using RemoteExec.Storage;

namespace RemoteExec.Services.Tests;

/// <summary>Blobs that break off while they are read: their client never takes what it has for all of it.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class HalfReadTests : ServicesFixture
{
    // More than one message of a Read, and no multiple of any.
    private const int GoodBytes = 1_300_000;

    private readonly CollectedLog _log = new();
    private bool _isSynchronous = true;
    private Exception? _obstacle;

    protected override ILoggerFactory Log => _log;

    protected override IBlobStore Served => new HalfStore(this);

    [TestCase(false)]
    [TestCase(true)]
    public async Task A_blob_that_breaks_off_inside_a_message_resets_its_stream(bool throws)
    {
        if (throws) _obstacle = new UnheardOfException();
        using var peer = await Http2Peer.ConnectAsync(EndPoint, (0x4, 1 << 22)); // INITIAL_WINDOW_SIZE: for the messages before
        await peer.SendAsync(Http2FrameType.WindowUpdate, 0, 0, [0, 0x40, 0, 0]); // and so the connection
        await peer.StartCallAsync(1, "/google.bytestream.ByteStream/Read");
        await peer.SendDataAsync(1, isEnd: true, Frame(new ReadRequest { ResourceName = $"blobs/{await StoreLargeAsync()}" }));

        var answer = await peer.ReadAnswerAsync(1);

        Assert.That((answer.Reset, answer.Trailers), Is.EqualTo(((Http2Error?)Http2Error.InternalError, (IReadOnlyList<(string, string)>?)null)));
        Assert.That(await _log.NextRpcErrorAsync(), throws ? Is.SameAs(_obstacle) : Is.InstanceOf<EndOfStreamException>());
    }

    [TestCase("blobs/{0}", false, StatusCode.Internal)]
    [TestCase("blobs/{0}", true, StatusCode.Internal)]
    [TestCase("compressed-blobs/zstd/{0}", false, StatusCode.Unavailable)]
    [TestCase("compressed-blobs/zstd/{0}", true, StatusCode.Internal)]
    public async Task A_blob_that_breaks_off_between_messages_ends_with_an_error(string form, bool throws, StatusCode expected)
    {
        _isSynchronous = false;
        if (throws) _obstacle = new UnheardOfException();
        using var call = Bytes.Read(new ReadRequest { ResourceName = string.Format(null, form, await StoreLargeAsync()) }, cancellationToken: Soon);

        Assert.That(await CodeOf(async () =>
        {
            while (await call.ResponseStream.MoveNext(Soon)) { }
        }), Is.EqualTo(expected));
    }

    private async Task<Digest> StoreLargeAsync() => await Store.WriteAllAsync(DigestFunction.Sha256, new byte[1 << 21], Soon);

    private static byte[] Frame(ReadRequest message)
    {
        byte[] framed = new byte[5 + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(framed.AsSpan(1), framed.Length - 5);
        message.WriteTo(framed.AsSpan(5));
        return framed;
    }

    private sealed class HalfStore(HalfReadTests test) : IBlobStore
    {
        public ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken) =>
            test.Store.FindMissingAsync(digests, cancellationToken);

        public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
        {
            var whole = await test.Store.OpenReadAsync(digest, offset, cancellationToken);
            if (whole is null) return null;
            return test._isSynchronous ? new SynchronousHalf((ISynchronousBlobReader)whole, test._obstacle) : new Half(whole, test._obstacle);
        }

        public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken) =>
            test.Store.CreateWriterAsync(digest, cancellationToken);
    }

    private class Half(IBlobReader whole, Exception? obstacle) : IBlobReader
    {
        private int _left = GoodBytes;

        public long RemainingBytes => whole.RemainingBytes;

        public async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken) =>
            Taken(await whole.ReadAsync(buffer[..Room(buffer.Length)], cancellationToken));

        public ValueTask DisposeAsync() => whole.DisposeAsync();

        protected int Room(int bytes) => Math.Min(bytes, _left);

        protected int Taken(int bytes)
        {
            if (_left == 0 && obstacle is not null) throw obstacle;
            _left -= bytes;
            return bytes;
        }
    }

    private sealed class SynchronousHalf(ISynchronousBlobReader whole, Exception? obstacle) : Half(whole, obstacle), ISynchronousBlobReader
    {
        public int Read(Span<byte> buffer) => Taken(whole.Read(buffer[..Room(buffer.Length)]));
    }
}
