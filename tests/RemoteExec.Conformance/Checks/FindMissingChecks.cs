using Build.Bazel.Remote.Execution.V2;

namespace RemoteExec.Conformance;

/// <summary>FindMissingBlobs (REAPI C1).</summary>
internal static class FindMissingChecks
{
    private const int Many = 10_000;

    public static IEnumerable<Check> All =>
    [
        new("C1", "only what is absent is named", "the absent one", async peer =>
        {
            var (stored, absent) = (await peer.StoreAsync(Peer.Random(100)), Peer.Absent());
            return await peer.MissingAsync(stored.Digest, absent) is [var only] && only.Equals(absent) ? "the absent one" : "something else";
        }),
        new("C1", "a digest may be asked twice", "it is named", async peer =>
        {
            var absent = Peer.Absent();
            return (await peer.MissingAsync(absent, absent)).All(absent.Equals) ? "it is named" : "something else";
        }),
        new("C1", "an empty question has an empty answer", "0", async peer => $"{(await peer.MissingAsync()).Count}"),
        new("C1", "ten thousand digests in one call", $"{Many}", async peer =>
        {
            WireDigest[] absent = [.. Enumerable.Range(0, Many).Select(_ => Peer.Absent())];
            return $"{(await peer.MissingAsync(absent)).Distinct().Count()}";
        }),
        new("C1", "what is missing is present as soon as it is acknowledged", "present", async peer =>
        {
            var blob = Blob.Of(Peer.Random(100));
            if (await peer.HasAsync(blob.Digest)) return "present before";
            await peer.StoreAsync([blob]);
            return await peer.HasAsync(blob.Digest) ? "present" : "missing";
        }),
    ];
}
