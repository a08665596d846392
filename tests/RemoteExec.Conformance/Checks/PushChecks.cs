using Build.Bazel.Remote.Asset.v1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>Content that clients name (REAPI S3).</summary>
internal static class PushChecks
{
    public static IEnumerable<Check> All =>
    [
        new("S3", "what was pushed is fetched under its address", "the blob", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            string uri = await PushAsync(peer, blob.Digest);
            return await FetchedAsync(peer, uri) is { BlobDigest: { } digest } && digest.Equals(blob.Digest) ? "the blob" : "something else";
        }),
        new("S3", "what was pushed until a time is told to be over by then, and what it refers to is kept", "the blob, by then, there", async peer =>
        {
            var (blob, other) = (await peer.StoreAsync(Peer.Random(100)), await peer.StoreAsync(Peer.Random(100)));
            var folder = await peer.StoreAsync(new WireDirectory { Files = { Trees.File("f", other.Digest) } });
            var until = TimeProvider.System.GetUtcNow() + TimeSpan.FromMinutes(10);
            string uri = await PushAsync(peer, blob.Digest, request =>
            {
                request.ExpireAt = until.ToTimestamp();
                request.ReferencesBlobs.Add(other.Digest);
                request.ReferencesDirectories.Add(folder.Digest);
            });
            var fetched = await FetchedAsync(peer, uri);
            string which = blob.Digest.Equals(fetched.BlobDigest) ? "the blob" : "something else";
            string when = fetched.ExpiresAt is null || fetched.ExpiresAt.ToDateTimeOffset() <= until ? "by then" : "later than that";
            return $"{which}, {when}, {((await peer.MissingAsync(other.Digest, folder.Digest)).Count == 0 ? "there" : "missing")}";
        }),
        new("S3", "what was pushed until a time that has passed is not answered", "not answered or INVALID_ARGUMENT", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            string uri = await PushAsync(peer, blob.Digest, request => request.ExpireAt = (TimeProvider.System.GetUtcNow() - TimeSpan.FromHours(1)).ToTimestamp());
            string seen = await WriteChecks.SeenAsync(async () => (await FetchedAsync(peer, uri)).BlobDigest is null ? "not answered" : "answered");
            return seen == "answered" ? seen : "not answered";
        }),
        new("S3", "a blob that is not stored is not pushed", "refused", peer => RefusedAsync(peer, Peer.Absent())),
        new("S3", "what refers to a blob that is not stored is not pushed", "refused", async peer =>
            await RefusedAsync(peer, (await peer.StoreAsync(Peer.Random(100))).Digest, request => request.ReferencesBlobs.Add(Peer.Absent()))) { IsOurChoice = true },
    ];

    private static async Task<string> RefusedAsync(Peer peer, WireDigest digest, Action<PushBlobRequest>? change = null)
    {
        string seen = await WriteChecks.SeenAsync(async () =>
        {
            await PushAsync(peer, digest, change);
            return "OK";
        });
        return seen is "FAILED_PRECONDITION" or "NOT_FOUND" or "INVALID_ARGUMENT" ? "refused" : seen;
    }

    /// <summary>Under an address that nobody serves, so that what is answered was pushed.</summary>
    private static async Task<string> PushAsync(Peer peer, WireDigest digest, Action<PushBlobRequest>? change = null)
    {
        string uri = $"http://127.0.0.1:9/{Guid.NewGuid()}";
        var request = new PushBlobRequest { InstanceName = peer.Instance, Uris = { uri }, BlobDigest = digest };
        change?.Invoke(request);
        try
        {
            await Peer.OfferedAsync(peer.Push.PushBlobAsync(request).ResponseAsync);
            return uri;
        }
        catch (RpcException failure) when (failure.StatusCode == StatusCode.PermissionDenied)
        {
            throw new NotOfferedException("PERMISSION_DENIED");
        }
    }

    private static async Task<FetchBlobResponse> FetchedAsync(Peer peer, string uri) =>
        await Peer.OfferedAsync(peer.Fetch.FetchBlobAsync(new FetchBlobRequest { InstanceName = peer.Instance, Uris = { uri } }).ResponseAsync);
}
