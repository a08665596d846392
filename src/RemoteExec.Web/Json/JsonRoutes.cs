using System.Runtime.CompilerServices;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;

namespace RemoteExec.Web;

/// <summary>The annotations of remote_execution.proto; a test holds the list against them.</summary>
internal static class JsonRoutes
{
    private const string Instance = "instance_name";

    public static IReadOnlyList<JsonRoute> Of(CallInvoker invoker)
    {
        var execution = new Execution.ExecutionClient(invoker);
        var results = new ActionCache.ActionCacheClient(invoker);
        var blobs = new ContentAddressableStorage.ContentAddressableStorageClient(invoker);
        var capabilities = new Capabilities.CapabilitiesClient(invoker);
        return
        [
            Stream<ExecuteRequest, Google.LongRunning.Operation>("POST", "actions:execute", Instance, "*", ExecuteRequest.Descriptor, execution.Execute),
            Stream<WaitExecutionRequest, Google.LongRunning.Operation>("POST", "operations/{id}:waitExecution", "name", "*", WaitExecutionRequest.Descriptor, execution.WaitExecution),
            Unary<GetActionResultRequest, ActionResult>(
                "GET", "actionResults/{action_digest.hash}/{action_digest.size_bytes}", null, GetActionResultRequest.Descriptor, results.GetActionResultAsync),
            Unary<UpdateActionResultRequest, ActionResult>(
                "PUT", "actionResults/{action_digest.hash}/{action_digest.size_bytes}", "action_result", UpdateActionResultRequest.Descriptor, results.UpdateActionResultAsync),
            Unary<FindMissingBlobsRequest, FindMissingBlobsResponse>("POST", "blobs:findMissing", "*", FindMissingBlobsRequest.Descriptor, blobs.FindMissingBlobsAsync),
            Unary<BatchUpdateBlobsRequest, BatchUpdateBlobsResponse>("POST", "blobs:batchUpdate", "*", BatchUpdateBlobsRequest.Descriptor, blobs.BatchUpdateBlobsAsync),
            Unary<BatchReadBlobsRequest, BatchReadBlobsResponse>("POST", "blobs:batchRead", "*", BatchReadBlobsRequest.Descriptor, blobs.BatchReadBlobsAsync),
            Stream<GetTreeRequest, GetTreeResponse>(
                "GET", "blobs/{root_digest.hash}/{root_digest.size_bytes}:getTree", Instance, null, GetTreeRequest.Descriptor, blobs.GetTree),
            Unary<SplitBlobRequest, SplitBlobResponse>(
                "GET", "blobs/{blob_digest.hash}/{blob_digest.size_bytes}:splitBlob", null, SplitBlobRequest.Descriptor, blobs.SplitBlobAsync),
            Unary<SpliceBlobRequest, SpliceBlobResponse>("POST", "blobs:spliceBlob", "*", SpliceBlobRequest.Descriptor, blobs.SpliceBlobAsync),
            Unary<GetCapabilitiesRequest, ServerCapabilities>("GET", "capabilities", null, GetCapabilitiesRequest.Descriptor, capabilities.GetCapabilitiesAsync),
        ];
    }

    private static JsonRoute Unary<TRequest, TResponse>(
        string method, string template, string? body, MessageDescriptor request, Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> call)
        where TResponse : IMessage => new(
            method, template, Instance, body, request,
            async (message, options) =>
            {
                using var running = call((TRequest)message, options);
                return await running.ResponseAsync;
            },
            Stream: null);

    private static JsonRoute Stream<TRequest, TResponse>(
        string method, string template, string front, string? body, MessageDescriptor request, Func<TRequest, CallOptions, AsyncServerStreamingCall<TResponse>> call)
        where TResponse : IMessage => new(
            method, template, front, body, request, Call: null, (message, options) => ReadAsync(call((TRequest)message, options), options.CancellationToken));

    private static async IAsyncEnumerable<IMessage> ReadAsync<TResponse>(AsyncServerStreamingCall<TResponse> call, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TResponse : IMessage
    {
        using (call)
        {
            while (await call.ResponseStream.MoveNext(cancellationToken)) yield return call.ResponseStream.Current;
        }
    }
}
