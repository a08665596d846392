using System.Security.Cryptography;
using Build.Bazel.Remote.Asset.v1;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What is really fetched, from a web server of the suite's own on this machine (REAPI S1, S2). A server that does not fetch from here is asked nothing.</summary>
internal static class FetchChecks
{
    public static IEnumerable<Check> All =>
    [
        new("S1", "the hash function that is asked for is that of the digest, and is echoed", "echoed", async peer =>
        {
            var announced = (await peer.CacheAsync()).DigestFunctions;
            var (wire, function) = announced.Contains(WireDigestFunction.Blake3) ? (WireDigestFunction.Blake3, DigestFunction.Blake3)
                : announced.Contains(WireDigestFunction.Sha512) ? (WireDigestFunction.Sha512, DigestFunction.Sha512)
                : throw new NotOfferedException("neither BLAKE3 nor SHA512 is announced");
            var blob = Blob.Of(Peer.Random(1000), function);
            await using var origin = new Origin(blob.Content);
            return Seen(await FetchAsync(peer, origin, request => request.DigestFunction = wire), blob, wire);
        }),
        new("S1", "no hash function is SHA256, and is said to be", "echoed", async peer =>
        {
            var blob = Blob.Of(Peer.Random(1000));
            await using var origin = new Origin(blob.Content);
            return Seen(await FetchAsync(peer, origin), blob, WireDigestFunction.Sha256);
        }),
        new("S1", "what was fetched is there, and is not over yet", "there, later", async peer =>
        {
            var blob = Blob.Of(Peer.Random(1000));
            await using var origin = new Origin(blob.Content);
            var began = TimeProvider.System.GetUtcNow();
            var fetched = await FetchAsync(peer, origin);
            if (fetched.ExpiresAt is null) throw new NotOfferedException("no expires_at");
            return $"{(await peer.HasAsync(blob.Digest) ? "there" : "missing")}, {(fetched.ExpiresAt.ToDateTimeOffset() > began ? "later" : "already over")}";
        }),
        new("S1", "an origin that says nothing is DEADLINE_EXCEEDED in the answer, when the timeout has passed", "OK, then DEADLINE_EXCEEDED", async peer =>
        {
            await using var origin = new Origin(content: null);
            var fetched = await FetchAsync(peer, origin, request => request.Timeout = Duration.FromTimeSpan(TimeSpan.FromSeconds(1)));
            return $"OK, then {StatusNames.Of(fetched.Status?.Code ?? 0)}";
        }),
        new("S1", "content that is older than oldest_content_accepted is fetched again", "the new one", async peer =>
        {
            // Both have one clock: a server that fetches from loopback is on this machine.
            var (old, young) = (Blob.Of(Peer.Random(1000)), Blob.Of(Peer.Random(1000)));
            await using var origin = new Origin(old.Content);
            var first = await FetchAsync(peer, origin);
            origin.Serve(young.Content);
            var oldest = TimeProvider.System.GetUtcNow().ToTimestamp();
            var again = await FetchAsync(peer, origin, request => request.OldestContentAccepted = oldest);
            return !old.Digest.Equals(first.BlobDigest) ? StatusNames.Of(first.Status?.Code ?? 0) : young.Digest.Equals(again.BlobDigest) ? "the new one" : "the old one";
        }),
        new("S2", "content that has its checksum is taken", "the blob", peer => CheckedAsync(peer, content => [Sri(content)])),
        new("S2", "of several checksums one is enough", "the blob", peer => CheckedAsync(peer, content => [Sri(Peer.Random(10)), Sri(content)])),
        new("S2", "content that has another checksum is ABORTED in the answer, and nothing is stored", "ABORTED, missing", peer => CheckedAsync(peer, _ => [Sri(Peer.Random(10))])),
    ];

    private static async Task<string> CheckedAsync(Peer peer, Func<byte[], string[]> checksums)
    {
        var blob = Blob.Of(Peer.Random(1000));
        await using var origin = new Origin(blob.Content);
        // Several stand in one value, with a space between them (Subresource Integrity, 3.1).
        string value = string.Join(' ', checksums(blob.Content));
        var fetched = await FetchAsync(peer, origin, request => request.Qualifiers.Add(new Qualifier { Name = "checksum.sri", Value = value }));
        if (blob.Digest.Equals(fetched.BlobDigest)) return "the blob";
        return $"{StatusNames.Of(fetched.Status?.Code ?? 0)}, {(await peer.HasAsync(blob.Digest) ? "present" : "missing")}";
    }

    private static string Sri(byte[] content) => $"sha256-{Convert.ToBase64String(SHA256.HashData(content))}";

    private static string Seen(FetchBlobResponse fetched, Blob blob, WireDigestFunction function) =>
        !blob.Digest.Equals(fetched.BlobDigest) ? $"{StatusNames.Of(fetched.Status?.Code ?? 0)}, {fetched.BlobDigest}" : fetched.DigestFunction == function ? "echoed" : $"{fetched.DigestFunction}";

    private static async Task<FetchBlobResponse> FetchAsync(Peer peer, Origin origin, Action<FetchBlobRequest>? change = null)
    {
        var request = new FetchBlobRequest { InstanceName = peer.Instance, Uris = { origin.Uri } };
        change?.Invoke(request);
        try
        {
            var fetched = await Peer.OfferedAsync(peer.Fetch.FetchBlobAsync(request).ResponseAsync);
            // Who is late may have been so before he had asked.
            bool isAsked = origin.Requests > 0 || fetched.Status?.Code == (int)StatusCode.DeadlineExceeded;
            return isAsked ? fetched : throw new NotOfferedException($"it fetches nothing from this machine: {fetched.Status?.Message}");
        }
        catch (RpcException failure) when (origin.Requests == 0 && failure.StatusCode is StatusCode.PermissionDenied or StatusCode.InvalidArgument)
        {
            throw new NotOfferedException($"it fetches nothing from this machine: {failure.Status.Detail}");
        }
    }
}
