using Build.Bazel.Remote.Asset.v1;
using Grpc.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Conformance;

/// <summary>What Remote Asset refuses (REAPI S1, S2, S4). Nothing is fetched from anywhere.</summary>
internal static class AssetChecks
{
    public static IEnumerable<Check> All =>
    [
        new("S1", "FetchBlob without an address is refused", "INVALID_ARGUMENT", async peer =>
        {
            await FetchAsync(peer);
            return "OK";
        }),
        new("S1", "FetchDirectory without an address is refused", "INVALID_ARGUMENT", async peer =>
        {
            await Peer.OfferedAsync(peer.Fetch.FetchDirectoryAsync(new FetchDirectoryRequest { InstanceName = peer.Instance }).ResponseAsync);
            return "OK";
        }),
        new("S1", "a qualifier twice is refused", "INVALID_ARGUMENT", async peer =>
        {
            await FetchAsync(peer, request => request.Qualifiers.AddRange([Named("resource_type", "a"), Named("resource_type", "b")]), "http://127.0.0.1:9/x");
            return "OK";
        }),
        new("S1", "a qualifier that is not known is refused by name", "INVALID_ARGUMENT, qualifiers.name", async peer =>
        {
            try
            {
                await FetchAsync(peer, request => request.Qualifiers.Add(Named("no.such.qualifier", "x")), "http://127.0.0.1:9/x");
                return "OK";
            }
            catch (RpcException failure)
            {
                var fields = failure.ToStatus().Details.Where(detail => detail.Is(Google.Rpc.BadRequest.Descriptor))
                    .SelectMany(detail => detail.Unpack<Google.Rpc.BadRequest>().FieldViolations).Select(violation => violation.Field);
                return $"{StatusNames.Of(failure.StatusCode)}, {string.Join(" ", fields)}";
            }
        }),
        new("S2", "a checksum that is none is refused", "INVALID_ARGUMENT", async peer =>
        {
            await FetchAsync(peer, request => request.Qualifiers.Add(Named("checksum.sri", "no checksum")), "http://127.0.0.1:9/x");
            return "OK";
        }),
        .. from uri in (string[])["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://[::ffff:169.254.169.254]/", "file:///etc/passwd", "gopher://127.0.0.1/"]
           select new Check("S4", $"{uri} is not fetched", "refused", async peer =>
           {
               string seen = await WriteChecks.SeenAsync(async () => StatusNames.Of((await FetchAsync(peer, uris: uri)).Status?.Code ?? 0));
               return seen is "PERMISSION_DENIED" or "INVALID_ARGUMENT" or "NOT_FOUND" ? "refused" : seen;
           }),
    ];

    private static Qualifier Named(string name, string value) => new() { Name = name, Value = value };

    private static Task<FetchBlobResponse> FetchAsync(Peer peer, Action<FetchBlobRequest>? change = null, params string[] uris)
    {
        var request = new FetchBlobRequest { InstanceName = peer.Instance, Uris = { uris } };
        change?.Invoke(request);
        return Peer.OfferedAsync(peer.Fetch.FetchBlobAsync(request).ResponseAsync);
    }
}
