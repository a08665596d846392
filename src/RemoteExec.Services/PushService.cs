using Build.Bazel.Remote.Asset.v1;
using Google.Protobuf.Collections;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Assets;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>
/// Lets callers say what the content of an address is (REAPI S3). Whoever may, decides what others build from: nobody is asked who he is yet, so
/// it is for a server that only its own machine reaches, or whose operator says so.
/// </summary>
internal sealed class PushService(AssetFetcher assets, ServicesOptions options) : Push.PushBase
{
    public override async Task<PushBlobResponse> PushBlob(PushBlobRequest request, ServerCallContext context)
    {
        await PushAsync(
            AssetKind.Blob, request.InstanceName, request.DigestFunction, request.Uris, request.Qualifiers, request.BlobDigest, "blob_digest",
            request.ReferencesBlobs, request.ReferencesDirectories, request.ExpireAt, context);
        return new PushBlobResponse();
    }

    public override async Task<PushDirectoryResponse> PushDirectory(PushDirectoryRequest request, ServerCallContext context)
    {
        await PushAsync(
            AssetKind.Directory, request.InstanceName, request.DigestFunction, request.Uris, request.Qualifiers, request.RootDirectoryDigest, "root_directory_digest",
            request.ReferencesBlobs, request.ReferencesDirectories, request.ExpireAt, context);
        return new PushDirectoryResponse();
    }

    private async ValueTask PushAsync(
        AssetKind kind, string instance, WireDigestFunction function, RepeatedField<string> uris, RepeatedField<Qualifier> qualifiers, WireDigest? digest, string field,
        RepeatedField<WireDigest> blobs, RepeatedField<WireDigest> directories, Timestamp? expireAt, ServerCallContext context)
    {
        if (!options.AssetPushEnabled)
            throw new RpcException(new Status(StatusCode.PermissionDenied, "this server takes no content for addresses from clients; --allow-push says otherwise"));

        // Of a push the digest tells the function; of a fetch nothing does.
        var known = WireDigests.FunctionOf(function, digest, options.UnnamedDigestFunction);
        var pushed = AssetMessages.ToDomain(kind, instance, known, uris, qualifiers, timeout: null, oldest: null);
        await assets.PushAsync(
            pushed, WireDigests.FromWire(digest, known, field), blobs, directories, AssetMessages.TimeOf(expireAt, "expire_at"), context.CancellationToken);
    }
}
