using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Core;
using RemoteExec.Rpc;

namespace RemoteExec.Storage.Tests;

/// <summary>The contract, kept over a real wire.</summary>
public sealed class RemoteBlobStoreTests : BlobStoreContract
{
    private SmallBlobServer _peer = null!;
    private MemoryBlobStore _inner = null!;
    private RpcServer _server = null!;
    private RpcChannel _channel = null!;

    private protected override bool KnowsPresenceAtOnce => false;

    [Test]
    public async Task A_read_that_breaks_is_taken_up_where_it_broke()
    {
        byte[] data = Blobs.Of(1, 2_000_000);
        var digest = await _inner.PutAsync(data);
        _peer.BreakReadAfter = 500_000;

        Assert.That(await Store.GetAsync(digest), Is.EqualTo(data));
        Assert.That(_peer.Reads, Is.EqualTo(2));
    }

    [Test]
    public async Task A_wrong_large_blob_is_refused_by_the_server_with_its_reason()
    {
        byte[] data = Blobs.Of(1, 2_000_000);
        var digest = Blobs.DigestOf(data);
        data[7] ^= 1;

        await RefusedAsync(StatusCode.InvalidArgument, async () => await Store.WriteAllAsync(digest, data, default));
        Assert.That(_inner.Usage.Blobs, Is.Zero);
    }

    [Test]
    public async Task A_full_server_says_so_for_small_and_large()
    {
        for (int i = 0; i < 2; i++) await _inner.PutAsync(Blobs.Of(i, 4 << 20));

        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(Blobs.Of(5, 100)));
        await RefusedAsync(StatusCode.ResourceExhausted, async () => await Store.PutAsync(Blobs.Of(6, 2 << 20)));
    }

    private protected override async Task<IBlobStore> CreateStoreAsync()
    {
        _inner = new MemoryBlobStore(LimitBytes, TimeSpan.FromHours(4), Time);
        _peer = new SmallBlobServer(_inner);
        _server = new RpcServer(new RpcServerOptions());
        _server.AddService(ContentAddressableStorage.BindService(_peer.Blobs));
        _server.AddService(ByteStream.BindService(_peer.Bytes));
        await _server.StartAsync(default);
        _channel = new RpcChannel(_server.Address, new RpcChannelOptions { Retry = RetryPolicy.None });
        return new RemoteBlobStore(_channel, InstanceName.Empty, new RemoteBlobStoreOptions());
    }

    private protected override async Task DeleteStoreAsync(IBlobStore store)
    {
        _channel.Dispose();
        await _server.DisposeAsync();
    }
}
