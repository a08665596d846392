using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Trees (REAPI 1.7). FindMissingBlobs, BatchUpdateBlobs and BatchReadBlobs are served by classes of their names on the bytes of their messages,
/// SplitBlob and SpliceBlob by <see cref="ChunkedBlobs"/>.
/// </summary>
internal sealed class ContentAddressableStorageService(IBlobStore store, ChunkedBlobs chunked, ServicesOptions options, AnswerBudget unsent)
    : ContentAddressableStorage.ContentAddressableStorageBase
{
    private readonly TreePages _trees = new(store, options);

    public override async Task GetTree(GetTreeRequest request, IServerStreamWriter<GetTreeResponse> responseStream, ServerCallContext context)
    {
        Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.RootDigest, options.UnnamedDigestFunction);
        var root = WireDigests.FromWire(request.RootDigest, function, "root_digest");
        using var room = new PageRoom(unsent, context.Peer);
        await _trees.SendAsync(root, request.PageSize, request.PageToken, room, page => responseStream.WriteAsync(page), context.CancellationToken);
    }

    public override Task<SplitBlobResponse> SplitBlob(SplitBlobRequest request, ServerCallContext context) => chunked.SplitAsync(request, context);

    public override Task<SpliceBlobResponse> SpliceBlob(SpliceBlobRequest request, ServerCallContext context) => chunked.SpliceAsync(request, context);
}
