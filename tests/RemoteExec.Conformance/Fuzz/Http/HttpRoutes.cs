using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;

namespace RemoteExec.Conformance;

/// <summary>
/// The routes of JSON, as the annotations of the protocols have them, and those of the cache. The requests are those of gRPC (<see cref="FuzzMethods"/>), and
/// so are the blobs that they name.
/// </summary>
internal static class HttpRoutes
{
    private const string Execution = "build.bazel.remote.execution.v2.";
    private const string Asset = "build.bazel.remote.asset.v1.";

    private static readonly Blob First = FuzzMethods.Stored[0], Second = FuzzMethods.Stored[1];
    private static readonly string ActionPath = Peer.Path(Blob.Of(FuzzMethods.Action).Digest), RootPath = Peer.Path(Blob.Of(FuzzMethods.Root).Digest), SecondPath = Peer.Path(Second.Digest);
    private static readonly UpdateActionResultRequest Update = (UpdateActionResultRequest)SeedOf(Execution + "ActionCache/UpdateActionResult");

    public static IReadOnlyList<HttpRoute> All { get; } =
    [
        Json("POST", "/v2/{i}actions:execute", Execution + "Execution/Execute"),
        Json("POST", "/v2/operations/1:waitExecution", Execution + "Execution/WaitExecution", without: "name"),
        Json("POST", "/v2/{i}blobs:findMissing", Execution + "ContentAddressableStorage/FindMissingBlobs"),
        Json("POST", "/v2/{i}blobs:batchUpdate", Execution + "ContentAddressableStorage/BatchUpdateBlobs"),
        Json("POST", "/v2/{i}blobs:batchRead", Execution + "ContentAddressableStorage/BatchReadBlobs"),
        Json("POST", "/v2/{i}blobs:spliceBlob", Execution + "ContentAddressableStorage/SpliceBlob"),
        new("json", "GET", $"/v2/{{i}}blobs/{RootPath}:getTree", null, "pageSize=1", "pageToken=", "digestFunction=SHA256"),
        new("json", "GET", $"/v2/{{i}}blobs/{SecondPath}:splitBlob", null, "chunkingFunction=FAST_CDC_2020", "digestFunction=SHA256", "chunking_function=REP_MAX_CDC"),
        new("json", "GET", $"/v2/{{i}}actionResults/{ActionPath}", null, "inlineStdout=true", "inlineOutputFiles=out%2Ffile", "inline_output_files=out/other", "digestFunction=SHA256"),
        new("json", "PUT", $"/v2/{{i}}actionResults/{ActionPath}", Update.ActionResult, "resultsCachePolicy.priority=1", "digest_function=SHA256"),
        new("json", "GET", "/v2/{i}capabilities", null),
        new("json", "GET", "/v1/operations", null, "filter=stage%20%21%3D%20completed", "pageSize=5", "pageToken=x", "returnPartialSuccess=true"),
        new("json", "GET", "/v1/operations/1", null),
        new("json", "DELETE", "/v1/operations/1", null),
        Json("POST", "/v1/operations/1:cancel", "google.longrunning.Operations/CancelOperation", without: "name"),
        Json("POST", "/v1/{i}assets:fetchBlob", Asset + "Fetch/FetchBlob"),
        Json("POST", "/v1/{i}assets:fetchDirectory", Asset + "Fetch/FetchDirectory"),
        Json("POST", "/v1/{i}assets:pushBlob", Asset + "Push/PushBlob"),
        Json("POST", "/v1/{i}assets:pushDirectory", Asset + "Push/PushDirectory"),
        new("cache", "PUT", $"/{{i}}cas/{First.Digest.Hash}", null) { Content = First.Content },
        new("cache", "PUT", $"/{{i}}cas/{Second.Digest.Hash}", null) { Content = Second.Content },
        new("cache", "GET", $"/{{i}}cas/{Second.Digest.Hash}", null),
        new("cache", "HEAD", $"/{{i}}cas/{First.Digest.Hash}", null),
        new("cache", "PUT", $"/{{i}}ac/{Blob.Of(FuzzMethods.Action).Digest.Hash}", null) { Content = Update.ActionResult.ToByteArray(), Message = Update.ActionResult },
        new("cache", "GET", $"/{{i}}ac/{Blob.Of(FuzzMethods.Action).Digest.Hash}", null),
        new("cache", "HEAD", $"/{{i}}ac/{Blob.Of(FuzzMethods.Action).Digest.Hash}", null),
    ];

    private static HttpRoute Json(string method, string path, string rpc, string? without = null)
    {
        var seed = SeedOf(rpc);
        if (without is not null)
        {
            // The path says it.
            seed = seed.Descriptor.Parser.ParseFrom(seed.ToByteArray());
            seed.Descriptor.FindFieldByName(without).Accessor.Clear(seed);
        }

        return new HttpRoute("json", method, path, seed);
    }

    private static IMessage SeedOf(string rpc) => FuzzMethods.All.Single(method => method.Name == rpc).Seeds[0];
}
