using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Core;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Rpc;

namespace RemoteExec.Storage.Tests;

/// <summary>Large blobs between a server that splits them and a machine that has earlier versions of them.</summary>
public sealed class ChunkFetchingBlobStoreTests
{
    private const int MebiByte = 1 << 20;

    private readonly ManualTime _time = new();
    private MemoryBlobStore _far = null!;
    private SmallBlobServer _peer = null!;
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;
    private Scratch _scratch = null!;
    private DiskBlobStore _disk = null!;
    private LocalChunkedBlobStore _here = null!;
    private ChunkFetchingBlobStore _store = null!;

    [SetUp]
    public async Task OpenBoth()
    {
        _far = new MemoryBlobStore(256 * MebiByte, TimeSpan.FromHours(4), _time);
        var chunked = new ChunkedBlobStore(_far, ChunkLists.Open(new ChunkListsOptions(), _time));
        _peer = new SmallBlobServer(chunked) { Splitter = new BlobSplitter(chunked, ChunkingOptions.Default) };
        var methods = new RpcMethods();
        methods.Add<SmallBlobServer>(RpcLimits.Default, binder =>
        {
            ContentAddressableStorage.BindService(binder, _peer.Blobs);
            ByteStream.BindService(binder, _peer.Bytes);
            Capabilities.BindService(binder, _peer.Abilities);
        });
        _server = await RpcLoopback.StartAsync(methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
        _scratch = new Scratch();
        _disk = await DiskBlobStore.OpenAsync(new DiskBlobStoreOptions { Directory = _scratch.Path, LimitBytes = 256 * MebiByte, Retention = TimeSpan.Zero }, _time, default);
        var parts = new ChunkedBlobStore(_disk, ChunkLists.Open(new ChunkListsOptions { Retention = TimeSpan.Zero }, _time));
        _here = new LocalChunkedBlobStore(_disk, parts);
        _store = new ChunkFetchingBlobStore(new RemoteBlobStore(_channel, Core.InstanceName.Empty, new RemoteBlobStoreOptions()), parts, new ChunkFetchOptions());
    }

    [TearDown]
    public async Task CloseBoth()
    {
        _peer.Splitter!.Dispose();
        await _disk.DisposeAsync();
        _scratch.Dispose();
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    [Test]
    public async Task A_change_of_a_large_blob_travels_and_the_rest_of_it_does_not()
    {
        byte[] first = Blobs.Of(1, 32 * MebiByte);
        byte[] second = [.. first.AsSpan(0, 10 * MebiByte), .. Blobs.Of(2, 1000), .. first.AsSpan(10 * MebiByte)];
        await FetchAsync(first);
        Assert.That(_store.FetchedBytes, Is.EqualTo(first.Length));

        await FetchAsync(second);

        // A chunk or two, of half a mebibyte.
        Assert.That(_store.FetchedBytes - first.Length, Is.InRange(1000, 4 * MebiByte));
        Assert.That(_store.FetchedBytes + _store.FoundBytes, Is.EqualTo(first.Length + second.Length));
        Assert.That(_peer.Reads, Is.LessThan(10), "hardly a chunk is too large for a batch");
    }

    [Test]
    public async Task The_version_before_last_serves_too_and_one_that_was_evicted_does_not()
    {
        byte[] first = Blobs.Of(1, 8 * MebiByte);
        await FetchAsync(first);
        await FetchAsync([.. first, 1]);
        long before = _store.FetchedBytes;
        await FetchAsync([0, .. first]);
        Assert.That(_store.FetchedBytes - before, Is.LessThan(4 * MebiByte));

        foreach (byte[] version in (byte[][])[first, [.. first, 1], [0, .. first]]) _disk.PutAside(Blobs.DigestOf(version));
        before = _store.FetchedBytes;
        await FetchAsync([2, .. first]);
        Assert.That(_store.FetchedBytes - before, Is.EqualTo(first.Length + 1));
    }

    [Test]
    public async Task Small_blobs_and_those_of_a_server_that_does_not_split_come_as_a_whole([Values] bool splits)
    {
        _peer.Splits = splits;
        await FetchAsync(Blobs.Of(1, 999_999));
        if (!splits) await FetchAsync(Blobs.Of(2, 8 * MebiByte));

        Assert.That((_store.FetchedBytes, _peer.SplitCalls), Is.EqualTo((0, 0)));
    }

    [Test]
    public async Task A_split_that_is_refused_costs_nothing_but_the_question()
    {
        _peer.SplitRefusal = StatusCode.ResourceExhausted;
        await FetchAsync(Blobs.Of(2, 8 * MebiByte));

        Assert.That((_store.FetchedBytes, _peer.SplitCalls), Is.EqualTo((0, 1)));
    }

    [Test]
    public async Task When_a_chunk_is_gone_the_rest_comes_as_a_whole()
    {
        byte[] data = Blobs.Of(1, 8 * MebiByte);
        _peer.LosesChunksAfter = 5;
        await FetchAsync(data);

        Assert.That(_store.FetchedBytes, Is.InRange(1, data.Length - 1));
        Assert.That(_peer.Reads, Is.GreaterThanOrEqualTo(1));
    }

    [Test]
    public async Task Reading_may_start_anywhere()
    {
        byte[] data = Blobs.Of(1, 8 * MebiByte);
        await _far.PutAsync(data);
        foreach (int offset in (int[])[0, 1, 3 * MebiByte, data.Length - 1, data.Length])
        {
            await using var reader = (await _store.OpenReadAsync(Blobs.DigestOf(data), offset, default))!;
            byte[] rest = new byte[data.Length - offset];
            await reader.ReadExactlyAsync(rest);
            Assert.That(rest.AsSpan().SequenceEqual(data.AsSpan(offset)), Is.True);
            Assert.That(reader.RemainingBytes, Is.Zero);
        }
    }

    [Test]
    public async Task Who_leaves_in_the_middle_leaves_nothing_behind()
    {
        byte[] data = Blobs.Of(1, 8 * MebiByte);
        await _far.PutAsync(data);
        var reader = (await _store.OpenReadAsync(Blobs.DigestOf(data), 0, default))!;
        await reader.ReadAsync(new byte[100], default);
        await reader.DisposeAsync();

        Assert.That(_store.FetchedBytes, Is.LessThan(data.Length));
    }

    private async Task FetchAsync(byte[] data)
    {
        var digest = await _far.PutAsync(data);
        Assert.That(await _store.CopyAsync(digest, _here, default), Is.EqualTo(data.Length));
        Assert.That((await _disk.GetAsync(digest)).AsSpan().SequenceEqual(data), Is.True);
    }
}
