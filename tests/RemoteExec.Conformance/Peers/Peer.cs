using System.Security.Cryptography;
using Build.Bazel.Remote.Asset.v1;
using Build.Bazel.Remote.Execution.V2;
using Build.Bazel.Remote.LogStream.v1;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Core.Interceptors;

namespace RemoteExec.Conformance;

/// <summary>The server as one check sees it: every call ends with the check's deadline, every content is fresh.</summary>
internal sealed partial class Peer
{
    private const int MessageBytes = 1 << 20;

    private readonly Connection _connection;
    private readonly CallInvoker _calls;

    public Peer(Connection connection, CancellationToken deadline)
    {
        _connection = connection;
        Deadline = deadline;
        _calls = connection.Channel.Intercept(new DeadlineInterceptor(deadline));
    }

    public CancellationToken Deadline { get; }

    public string Instance => _connection.Instance;

    public int? Slots => _connection.Slots;

    public RawClient Raw => _connection.Raw;

    public SeparateLine OpenLine() => new(_connection.Address);

    public ContentAddressableStorage.ContentAddressableStorageClient Cas => new(_calls);

    public ByteStream.ByteStreamClient Bytes => new(_calls);

    public ActionCache.ActionCacheClient Results => new(_calls);

    public Execution.ExecutionClient Execution => new(_calls);

    public Operations.OperationsClient Operations => new(_calls);

    public Fetch.FetchClient Fetch => new(_calls);

    public Push.PushClient Push => new(_calls);

    public LogStreamService.LogStreamServiceClient Logs => new(_calls);

    public Capabilities.CapabilitiesClient CapabilitiesClient => new(_calls);

    public Task<ServerCapabilities> CapabilitiesAsync() => _connection.CapabilitiesAsync();

    public async Task<CacheCapabilities> CacheAsync() => (await CapabilitiesAsync()).CacheCapabilities ?? new CacheCapabilities();

    // ---- contents

    public static byte[] Random(int bytes) => RandomNumberGenerator.GetBytes(bytes);

    /// <summary>Compresses well, and nobody has it.</summary>
    public static byte[] Text(int bytes)
    {
        byte[] text = new byte[bytes];
        byte[] line = System.Text.Encoding.ASCII.GetBytes($"{Guid.NewGuid():N} is what this line says\n");
        for (int i = 0; i < bytes; i++) text[i] = line[i % line.Length];
        return text;
    }

    /// <summary>Of content that nobody has.</summary>
    public static WireDigest Absent(long size = 100) => new() { Hash = Convert.ToHexStringLower(Random(32)), SizeBytes = size };

    public async Task<Blob> StoreAsync(byte[] content)
    {
        var blob = Blob.Of(content);
        await StoreAsync([blob]);
        return blob;
    }

    public async Task<Blob> StoreAsync(IMessage message) => await StoreAsync(message.ToByteArray());

    /// <summary>By whichever way takes the size.</summary>
    public async Task StoreAsync(IReadOnlyList<Blob> blobs)
    {
        foreach (var large in blobs.Where(blob => blob.Size > MessageBytes)) await UploadAsync(large);
        foreach (var batch in BlobBatches.Of(blobs.Where(blob => blob.Size is > 0 and <= MessageBytes), blob => blob.Size))
        {
            var request = new BatchUpdateBlobsRequest { InstanceName = Instance };
            request.Requests.AddRange(batch.Select(blob => new BatchUpdateBlobsRequest.Types.Request { Digest = blob.Digest, Data = ByteString.CopyFrom(blob.Content) }));
            var answer = await Cas.BatchUpdateBlobsAsync(request);
            if (answer.Responses.FirstOrDefault(each => each.Status is { Code: not 0 }) is { } refused)
                throw new RpcException(new Status((StatusCode)refused.Status.Code, refused.Status.Message));
        }
    }

    public async Task<IReadOnlyList<WireDigest>> MissingAsync(params IReadOnlyList<WireDigest> digests) =>
        (await Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = Instance, BlobDigests = { digests } })).MissingBlobDigests;

    public async Task<bool> HasAsync(WireDigest digest) => (await MissingAsync(digest)).Count == 0;

    public async Task<BatchReadBlobsResponse> BatchReadAsync(params IReadOnlyList<WireDigest> digests) =>
        await Cas.BatchReadBlobsAsync(new BatchReadBlobsRequest { InstanceName = Instance, Digests = { digests } });

    // ---- what is only there when it is announced

    public async Task RequireExecutionAsync()
    {
        if (await _connection.WhyNoExecutionAsync() is { } reason) throw new NotOfferedException(reason);
    }

    public async Task RequireCacheWritesAsync()
    {
        if ((await CacheAsync()).ActionCacheUpdateCapabilities is not { UpdateEnabled: true }) throw new NotOfferedException("update_enabled is false");
    }

    public async Task RequireZstdAsync()
    {
        if (!(await CacheAsync()).SupportedCompressors.Contains(WireCompressor.Zstd)) throw new NotOfferedException("ZSTD is not announced");
    }

    public async Task RequireSplitAsync()
    {
        if (!(await CacheAsync()).SplitBlobSupport) throw new NotOfferedException("split_blob_support is false");
    }

    public async Task RequireSpliceAsync()
    {
        if (!(await CacheAsync()).SpliceBlobSupport) throw new NotOfferedException("splice_blob_support is false");
    }

    /// <summary>A service that nothing announces: UNIMPLEMENTED says that it is not there.</summary>
    public static async Task<T> OfferedAsync<T>(Task<T> call)
    {
        try
        {
            return await call;
        }
        catch (RpcException failure) when (failure.StatusCode == StatusCode.Unimplemented)
        {
            throw new NotOfferedException("UNIMPLEMENTED");
        }
    }
}
