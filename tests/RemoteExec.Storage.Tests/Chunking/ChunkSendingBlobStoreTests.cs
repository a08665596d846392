using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Rpc;

namespace RemoteExec.Storage.Tests;

/// <summary>Large uploads to a server that makes blobs of chunks.</summary>
public sealed class ChunkSendingBlobStoreTests
{
    private const int MebiByte = 1 << 20;
    private const int ChunkBytes = 64 << 10;

    private readonly ManualTime _time = new();
    private MemoryBlobStore _far = null!;
    private ChunkedBlobStore _chunked = null!;
    private SmallBlobServer _peer = null!;
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;
    private ChunkSendingBlobStore _store = null!;

    [SetUp]
    public async Task OpenBoth()
    {
        _far = new MemoryBlobStore(256 * MebiByte, TimeSpan.FromHours(4), _time);
        _chunked = new ChunkedBlobStore(_far, ChunkLists.Open(new ChunkListsOptions(), _time));
        var options = new ChunkingOptions { FastCdcAverageBytes = ChunkBytes };
        _peer = new SmallBlobServer(_chunked) { Splitter = new BlobSplitter(_chunked, options), SplicedBytes = ChunkBytes };
        var methods = new RpcMethods();
        methods.Add<SmallBlobServer>(RpcLimits.Default, binder =>
        {
            ContentAddressableStorage.BindService(binder, _peer.Blobs);
            ByteStream.BindService(binder, _peer.Bytes);
            Capabilities.BindService(binder, _peer.Abilities);
        });
        _server = await RpcLoopback.StartAsync(methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
        _store = new ChunkSendingBlobStore(new RemoteBlobStore(_channel, Core.InstanceName.Empty, new RemoteBlobStoreOptions()), blobBytesMin: MebiByte);
    }

    [TearDown]
    public async Task CloseBoth()
    {
        _peer.Splitter!.Dispose();
        _chunked.Dispose();
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    [Test] // REAPI C7
    public async Task Of_a_changed_blob_the_changed_chunks_travel()
    {
        byte[] first = Blobs.Of(1, 8 * MebiByte);
        byte[] second = [.. first.AsSpan(0, 3 * MebiByte), .. Blobs.Of(2, 1000), .. first.AsSpan(3 * MebiByte)];
        await SendAsync(first);
        Assert.That(StoredBytes, Is.EqualTo(first.Length));

        await SendAsync(second);

        Assert.That(StoredBytes - first.Length, Is.InRange(1000, 10 * ChunkBytes), "a chunk or two");
        Assert.That(await _chunked.GetAsync(Blobs.DigestOf(first)), Is.EqualTo(first));
        Assert.That(await _chunked.GetAsync(Blobs.DigestOf(second)), Is.EqualTo(second));
        Assert.That((_peer.WriteOffsets.Count, _peer.SpliceCalls), Is.EqualTo((0, 2)), "no stream");
    }

    [Test]
    public async Task What_is_small_goes_whole()
    {
        byte[] data = Blobs.Of(1, MebiByte - 1);

        await SendAsync(data);

        Assert.That(await _far.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(_peer.SpliceCalls, Is.Zero);
    }

    [TestCase(null)]
    [TestCase(1000)] // no power of two
    [TestCase(1 << 30)]
    public async Task A_server_that_announces_nothing_of_use_gets_blobs_whole(int? announced)
    {
        _peer.SplicedBytes = announced;
        byte[] data = Blobs.Of(1, 2 * MebiByte);

        await SendAsync(data);

        Assert.That(await _far.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(_peer.SpliceCalls, Is.Zero);
    }

    [TestCase(StatusCode.ResourceExhausted)]
    [TestCase(StatusCode.NotFound)]
    [TestCase(StatusCode.Unimplemented)]
    public async Task A_blob_that_is_not_put_together_is_sent_again_as_a_whole(StatusCode code)
    {
        _peer.SpliceRefusal = code;
        byte[] data = Blobs.Of(1, 2 * MebiByte);

        await SendAsync(data);

        Assert.That(await _far.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
    }

    [Test]
    public async Task Chunks_that_cannot_be_stored_are_sent_with_the_whole()
    {
        int batches = 0;
        _peer.BeforeBatchAsync = () => Interlocked.Increment(ref batches) > 1 ? throw new RpcException(new Status(StatusCode.ResourceExhausted, "full")) : Task.CompletedTask;
        byte[] data = Blobs.Of(1, 12 * MebiByte);

        await SendAsync(data);

        Assert.That(await _far.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(_peer.SpliceCalls, Is.Zero);
    }

    [Test]
    public async Task A_whole_that_is_sent_in_their_stead_goes_on_where_it_broke()
    {
        _peer.SpliceRefusal = StatusCode.ResourceExhausted;
        _peer.BreakWriteAfter = MebiByte;
        byte[] data = Blobs.Of(1, 4 * MebiByte);

        await SendAsync(data);

        Assert.That(await _far.GetAsync(Blobs.DigestOf(data)), Is.EqualTo(data));
        Assert.That(_peer.WriteOffsets, Has.Count.EqualTo(2));
    }

    [Test]
    public void A_blob_that_is_not_what_it_says_is_refused()
    {
        byte[] data = Blobs.Of(1, 2 * MebiByte);
        var other = Blobs.DigestOf(Blobs.Of(2, 2 * MebiByte));

        var refused = Assert.ThrowsAsync<RpcException>(async () => await _store.WriteFromAsync(other, (offset, _) => Source(data, offset), default));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    private long StoredBytes => _far.Usage.UsedBytes;

    private async Task SendAsync(byte[] data) => await _store.WriteFromAsync(Blobs.DigestOf(data), (offset, _) => Source(data, offset), default);

    private static ValueTask<IBlobReader?> Source(byte[] data, long offset) =>
        ValueTask.FromResult<IBlobReader?>(new MemoryBlobReader(data.AsMemory((int)offset)));
}
