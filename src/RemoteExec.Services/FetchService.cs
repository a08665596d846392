using Build.Bazel.Remote.Asset.v1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Assets;
using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>Content by its address (REAPI S1, S2). How an origin failed is said in the answer, and the call is OK.</summary>
internal sealed class FetchService(AssetFetcher assets, ServicesOptions options) : Fetch.FetchBase
{
    public override async Task<FetchBlobResponse> FetchBlob(FetchBlobRequest request, ServerCallContext context)
    {
        var asked = AssetMessages.ToDomain(
            AssetKind.Blob, request.InstanceName, FunctionOf(request.DigestFunction), request.Uris, request.Qualifiers, request.Timeout, request.OldestContentAccepted);
        var answer = await assets.FetchAsync(asked, context.CancellationToken);
        var response = new FetchBlobResponse { Status = AssetMessages.StatusOf(answer), Uri = answer.Uri, DigestFunction = asked.Function.ToWire() };
        response.Qualifiers.Add(asked.Qualifiers.Public);
        if (answer.Failure is not null) return response;

        response.BlobDigest = answer.Digest.ToWire();
        response.ExpiresAt = answer.ExpiresAt.ToTimestamp();
        return response;
    }

    public override async Task<FetchDirectoryResponse> FetchDirectory(FetchDirectoryRequest request, ServerCallContext context)
    {
        var asked = AssetMessages.ToDomain(
            AssetKind.Directory, request.InstanceName, FunctionOf(request.DigestFunction), request.Uris, request.Qualifiers, request.Timeout, request.OldestContentAccepted);
        var answer = await assets.FetchAsync(asked, context.CancellationToken);
        var response = new FetchDirectoryResponse { Status = AssetMessages.StatusOf(answer), Uri = answer.Uri, DigestFunction = asked.Function.ToWire() };
        response.Qualifiers.Add(asked.Qualifiers.Public);
        if (answer.Failure is not null) return response;

        response.RootDirectoryDigest = answer.Digest.ToWire();
        response.ExpiresAt = answer.ExpiresAt.ToTimestamp();
        return response;
    }

    // Nothing in a question tells it (REAPI S1: SHA256 where nobody says otherwise).
    private DigestFunction FunctionOf(WireDigestFunction named) => WireDigests.FunctionOf(named, sample: null, options.UnnamedDigestFunction);
}
