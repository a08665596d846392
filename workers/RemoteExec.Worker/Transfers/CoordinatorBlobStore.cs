using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// The store of a coordinator, reached over the same public services that clients use: inputs come by
/// ByteStream.Read, outputs go by ByteStream.Write.
/// </summary>
internal sealed class CoordinatorBlobStore(CallInvoker channel, InstanceName instance) : IBlobStore
{
    // About 100 bytes each on the wire: a third of the 4 MiB that a message may have.
    private const int DigestsPerCallMax = 10_000;

    private readonly ContentAddressableStorage.ContentAddressableStorageClient _blobs = new(channel);
    private readonly ByteStream.ByteStreamClient _bytes = new(channel);

    public async ValueTask<IReadOnlyList<Digest>> FindMissingAsync(IReadOnlyList<Digest> digests, CancellationToken cancellationToken)
    {
        var missing = new List<Digest>();
        // One call speaks of one function (REAPI D5).
        foreach (var group in digests.Distinct().GroupBy(digest => digest.Function))
        {
            foreach (var piece in group.Chunk(DigestsPerCallMax))
            {
                var request = new FindMissingBlobsRequest { InstanceName = instance.Value, DigestFunction = group.Key.ToWire() };
                request.BlobDigests.AddRange(piece.Select(digest => digest.ToWire()));
                using var call = _blobs.FindMissingBlobsAsync(request, new CallOptions(CancellationToken: cancellationToken));
                var response = await call.ResponseAsync;
                missing.AddRange(response.MissingBlobDigests.Select(wire => WireDigests.FromWire(wire, group.Key, "missing_blob_digests")));
            }
        }
        return missing;
    }

    public async ValueTask<IBlobReader?> OpenReadAsync(Digest digest, long offset, CancellationToken cancellationToken)
    {
        var request = new ReadRequest { ResourceName = new BlobResourceName(instance, digest).ToString(), ReadOffset = offset };
        var reader = new CoordinatorBlobReader(_bytes.Read(request, new CallOptions(CancellationToken: cancellationToken)), digest.SizeBytes - offset);
        try
        {
            // NOT_FOUND comes with the first message or not at all.
            await reader.FillAsync(cancellationToken);
            return reader;
        }
        catch (RpcException absent) when (absent.StatusCode == StatusCode.NotFound)
        {
            await reader.DisposeAsync();
            return null;
        }
        catch
        {
            await reader.DisposeAsync();
            throw;
        }
    }

    public ValueTask<IBlobWriter> CreateWriterAsync(Digest digest, CancellationToken cancellationToken)
    {
        string name = new UploadResourceName(Guid.NewGuid().ToString(), new BlobResourceName(instance, digest)).ToString();
        return ValueTask.FromResult<IBlobWriter>(
            new CoordinatorBlobWriter(_bytes.Write(new CallOptions(CancellationToken: cancellationToken)), name, digest));
    }
}
