using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>Rules that hold at every call (REAPI 1.2).</summary>
internal static class EverywhereChecks
{
    private const string MetadataHeader = "build.bazel.remote.execution.v2.requestmetadata-bin";
    private const string ResourceNameHeader = "build.bazel.remote.execution.v2.resource-name";

    public static IEnumerable<Check> All =>
    [
        .. from reserved in (string[])["blobs", "uploads", "actions", "actionResults", "operations", "capabilities", "compressed-blobs"]
           select new Check("G2", $"an instance name with the segment '{reserved}' is refused", "INVALID_ARGUMENT", async peer =>
           {
               await peer.Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = $"a/{reserved}/b", BlobDigests = { Peer.Absent() } });
               return "OK";
           }),
        new("G2", "an instance name may be empty or have slashes", "OK or NOT_FOUND or PERMISSION_DENIED", async peer =>
        {
            await peer.Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = "some/deep/instance", BlobDigests = { Peer.Absent() } });
            return "OK";
        }),
        new("G3", "an action's digest is that of the client's bytes, also of fields that are not known", "it ran", async peer =>
        {
            await peer.RequireExecutionAsync();
            var draft = new ActionDraft("exit 0");
            await peer.StoreAsync(draft);
            // Field 1000, a text: what a newer client may send.
            byte[] action = [.. draft.Action.ToByteArray(), 0xC2, 0x3E, 3, (byte)'n', (byte)'e', (byte)'w'];
            var stored = await peer.StoreAsync(action);
            var ran = await peer.RunAsync(stored.Digest);
            return ran.Status != StatusCode.OK ? ran.StatusName
                : Run.MetadataOf(ran.Last).ActionDigest.Equals(stored.Digest) ? "it ran" : "under another digest";
        }),
        new("G4", "RequestMetadata that is no message never fails a call", "OK", peer => FindWithHeaderAsync(peer, new Metadata { { MetadataHeader, [0xFF, 0xFF, 0xFF] } })),
        new("G4", "RequestMetadata twice never fails a call", "OK", peer => FindWithHeaderAsync(peer, new Metadata
        {
            { MetadataHeader, new RequestMetadata { ToolInvocationId = "a" }.ToByteArray() }, { MetadataHeader, new RequestMetadata { ToolInvocationId = "b" }.ToByteArray() },
        })),
        new("G4", "RequestMetadata with line breaks never fails a call", "OK", peer => FindWithHeaderAsync(peer, new Metadata
        {
            { MetadataHeader, new RequestMetadata { ToolInvocationId = "a\r\nb", TargetId = "\0", ActionMnemonic = "\u2028" }.ToByteArray() },
        })),
        new("G5", "the resource-name header that agrees is taken", "OK", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            return await ReadWithHeaderAsync(peer, peer.ReadName(blob.Digest), peer.ReadName(blob.Digest));
        }),
        new("G5", "the resource-name header that differs is refused", "INVALID_ARGUMENT", async peer =>
        {
            var blob = await peer.StoreAsync(Peer.Random(100));
            return await ReadWithHeaderAsync(peer, peer.ReadName(blob.Digest), peer.ReadName(Peer.Absent()));
        }),
        new("R27", "the standard health service is served", "SERVING", async peer =>
        {
            var (status, _, answer) = await peer.Raw.CallAsync("grpc.health.v1.Health/Check", [[]]);
            if (status == RawStatus.Unimplemented) throw new NotOfferedException("UNIMPLEMENTED");
            // HealthCheckResponse.status = SERVING, in the frame of one message.
            return status == RawStatus.Ok && answer is [0, 0, 0, 0, 2, 8, 1] ? "SERVING" : $"{status}, {answer.Length} bytes";
        }),
        new("R", "a method that nobody serves is UNIMPLEMENTED", "Unimplemented", async peer =>
            (await peer.Raw.CallAsync("build.bazel.remote.execution.v2.ContentAddressableStorage/Nothing", [[]])).Status.ToString()),
    ];

    private static async Task<string> FindWithHeaderAsync(Peer peer, Metadata headers)
    {
        await peer.Cas.FindMissingBlobsAsync(new FindMissingBlobsRequest { InstanceName = peer.Instance, BlobDigests = { Peer.Absent() } }, headers);
        return "OK";
    }

    private static async Task<string> ReadWithHeaderAsync(Peer peer, string name, string header)
    {
        using var call = peer.Bytes.Read(new Google.Bytestream.ReadRequest { ResourceName = name }, new Metadata { { ResourceNameHeader, header } });
        while (await call.ResponseStream.MoveNext(peer.Deadline))
        {
        }

        return "OK";
    }
}
