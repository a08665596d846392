using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using Digest = RemoteExec.Core.Digest;

namespace RemoteExec.Storage;

/// <summary>
/// The blobs of a server that speaks REAPI: small ones by batch calls, large ones by ByteStream. Unary calls are tried
/// again by the channel's retry policy, reads are resumed where they broke.
/// </summary>
public sealed class RemoteBlobStore(RpcChannel channel, InstanceName instance, RemoteBlobStoreOptions options) : IBlobStore
{
    // About 100 bytes each on the wire: a quarter of the 4 MiB that a message may have.
    private const int DigestsPerCallMax = 10_000;

    private readonly ContentAddressableStorage.ContentAddressableStorageClient _blobs = new(channel.CreateCallInvoker());
    private readonly ByteStream.ByteStreamClient _bytes = new(channel.CreateCallInvoker());

    internal RemoteBlobStoreOptions Options => options;

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var missing = new List<Digest>();
        // One request, one function (REAPI D5); and the empty blob needs no question.
        foreach (var group in digests.Where(digest => !digest.IsEmpty).Distinct().GroupBy(digest => digest.Function))
        {
            foreach (var piece in group.Chunk(DigestsPerCallMax))
            {
                var request = new FindMissingBlobsRequest { InstanceName = instance.Value, DigestFunction = group.Key.ToWire() };
                request.BlobDigests.AddRange(piece.Select(digest => digest.ToWire()));
                var response = await _blobs.FindMissingBlobsAsync(request, new CallOptions(CancellationToken: cancellationToken));
                missing.AddRange(response.MissingBlobDigests.Select(wire => WireDigests.FromWire(wire, group.Key, "missing_blob_digests")));
            }
        }

        return missing;
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        StorageErrors.CheckOffset(digest, offset);
        if (digest.IsEmpty) return EmptyBlob.Instance;
        if (digest.SizeBytes <= options.UnaryBytesMax)
            return await ReadSmallAsync(digest, cancellationToken) is { } data ? new MemoryBlobReader(data[(int)offset..]) : null;

        var reader = new RemoteBlobReader(this, digest, offset);
        try
        {
            // NOT_FOUND comes before the first byte or not at all.
            if (await reader.TryOpenAsync(cancellationToken)) return reader;
        }
        catch
        {
            await reader.DisposeAsync();
            throw;
        }

        await reader.DisposeAsync();
        return null;
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return ValueTask.FromResult<IBlobWriter>(
            digest.IsEmpty ? EmptyBlob.Instance
            : digest.SizeBytes <= options.UnaryBytesMax ? new SmallRemoteBlobWriter(this, digest)
            : new RemoteBlobWriter(this, digest));
    }

    internal AsyncServerStreamingCall<ReadResponse> Read(in Digest digest, long offset, CancellationToken cancellationToken) =>
        _bytes.Read(
            new ReadRequest { ResourceName = new BlobResourceName(instance, digest).ToString(), ReadOffset = offset },
            new CallOptions(CancellationToken: cancellationToken));

    internal AsyncClientStreamingCall<WriteRequest, WriteResponse> Write() => _bytes.Write(new CallOptions());

    internal string NewUploadName(in Digest digest) =>
        new UploadResourceName(Guid.NewGuid().ToString(), new BlobResourceName(instance, digest)).ToString();

    internal async ValueTask WriteSmallAsync(Digest digest, ByteString data, CancellationToken cancellationToken)
    {
        var request = new BatchUpdateBlobsRequest
        {
            InstanceName = instance.Value,
            DigestFunction = digest.Function.ToWire(),
            Requests = { new BatchUpdateBlobsRequest.Types.Request { Digest = digest.ToWire(), Data = data } },
        };
        var response = await _blobs.BatchUpdateBlobsAsync(request, new CallOptions(CancellationToken: cancellationToken));
        Check(response.Responses is [var only] ? only.Status ?? new Google.Rpc.Status() : null, digest);
    }

    private async ValueTask<ReadOnlyMemory<byte>?> ReadSmallAsync(Digest digest, CancellationToken cancellationToken)
    {
        var request = new BatchReadBlobsRequest
        {
            InstanceName = instance.Value,
            DigestFunction = digest.Function.ToWire(),
            Digests = { digest.ToWire() },
        };
        var response = await _blobs.BatchReadBlobsAsync(request, new CallOptions(CancellationToken: cancellationToken));
        if (response.Responses is not [var only]) throw RpcErrors.Unavailable($"the server did not answer for blob {digest}");
        if (only.Status is { } status && status.Code == (int)StatusCode.NotFound) return null;

        Check(only.Status ?? new Google.Rpc.Status(), digest);
        // Whoever keeps the blob verifies its hash; a wrong length would already break a reader.
        return only.Data.Length == digest.SizeBytes
            ? only.Data.Memory
            : throw RpcErrors.Unavailable($"the server sent {only.Data.Length} bytes for blob {digest}");
    }

    // On the wire an unset status is OK, an absent answer is not.
    private static void Check(Google.Rpc.Status? status, in Digest digest)
    {
        if (status is null) throw RpcErrors.Unavailable($"the server did not answer for blob {digest}");
        if (status.Code != (int)StatusCode.OK) throw status.ToException();
    }
}
