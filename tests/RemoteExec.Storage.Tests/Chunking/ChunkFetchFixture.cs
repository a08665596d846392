using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Net.Client;
using NUnit.Framework;
using RemoteExec.Rpc;

namespace RemoteExec.Storage.Tests;

/// <summary>A server that splits large blobs, and a machine with a cache that fetches them.</summary>
public abstract class ChunkFetchFixture
{
    private protected const int MebiByte = 1 << 20;

    private readonly ManualTime _time = new();
    private RpcLoopback _server = null!;
    private GrpcChannel _channel = null!;
    private Scratch _scratch = null!;

    private protected MemoryBlobStore Far { get; private set; } = null!;

    private protected SmallBlobServer Peer { get; private set; } = null!;

    private protected DiskBlobStore Disk { get; private set; } = null!;

    private protected LocalChunkedBlobStore Here { get; private set; } = null!;

    private protected UnfinishedBlobs Unfinished { get; private set; } = null!;

    private protected ChunkFetchingBlobStore Store { get; private set; } = null!;

    private protected virtual ChunkingOptions Chunking => ChunkingOptions.Default;

    private protected string UnfinishedDirectory => _scratch.Sub("unfinished");

    [SetUp]
    public async Task OpenBoth()
    {
        Far = new MemoryBlobStore(256 * MebiByte, TimeSpan.FromHours(4), _time);
        var chunked = new ChunkedBlobStore(Far, ChunkLists.Open(new ChunkListsOptions(), _time));
        Peer = new SmallBlobServer(chunked) { Splitter = new BlobSplitter(chunked, Chunking) };
        var methods = new RpcMethods();
        methods.Add<SmallBlobServer>(RpcLimits.Default, binder =>
        {
            ContentAddressableStorage.BindService(binder, Peer.Blobs);
            ByteStream.BindService(binder, Peer.Bytes);
            Capabilities.BindService(binder, Peer.Abilities);
        });
        _server = await RpcLoopback.StartAsync(methods);
        _channel = RpcChannels.Create(_server.Address, new RpcChannelOptions { AttemptsMax = 1 });
        _scratch = new Scratch();
        await OpenCacheAsync();
    }

    [TearDown]
    public async Task CloseBoth()
    {
        Peer.Splitter!.Dispose();
        await Disk.DisposeAsync();
        _scratch.Dispose();
        _channel.Dispose();
        await _server.DisposeAsync();
    }

    /// <summary>As a worker does after a kill; what it fetched by then is counted anew.</summary>
    private protected async Task RestartAsync(long keptBytesMax = long.MaxValue)
    {
        await Disk.DisposeAsync();
        await OpenCacheAsync(keptBytesMax);
    }

    private protected async Task FetchAsync(byte[] data)
    {
        var digest = await Far.PutAsync(data);
        Assert.That(await Store.CopyAsync(digest, Here, default), Is.EqualTo(data.Length));
        Assert.That((await Disk.GetAsync(digest)).AsSpan().SequenceEqual(data), Is.True);
    }

    private async Task OpenCacheAsync(long keptBytesMax = long.MaxValue)
    {
        Disk = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions { Directory = _scratch.Sub("cas"), LimitBytes = 256 * MebiByte, Retention = TimeSpan.Zero }, _time, default);
        var parts = new ChunkedBlobStore(Disk, ChunkLists.Open(new ChunkListsOptions { Retention = TimeSpan.Zero }, _time));
        Here = new LocalChunkedBlobStore(Disk, parts);
        Unfinished = UnfinishedBlobs.Open(new UnfinishedBlobsOptions { Directory = UnfinishedDirectory, LimitBytes = keptBytesMax });
        Store = new ChunkFetchingBlobStore(new RemoteBlobStore(_channel, Core.InstanceName.Empty, new RemoteBlobStoreOptions()), parts, Unfinished, new ChunkFetchOptions());
    }
}
