using System.Runtime.CompilerServices;
using Build.Bazel.Remote.Asset.v1;
using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Web;

/// <summary>The annotations of the protocols that we serve (google.api.http); a test holds the list against them.</summary>
internal static class JsonRoutes
{
    private const string V1 = "/v1/";
    private const string V2 = "/v2/";

    private const string Instance = "instance_name";
    private const string Name = "name";

    public static IReadOnlyList<JsonRoute> Of(CallInvoker invoker) => [.. OfExecution(invoker), .. OfOperations(invoker), .. OfAssets(invoker)];

    /// <summary>remote_execution.proto.</summary>
    private static IEnumerable<JsonRoute> OfExecution(CallInvoker invoker)
    {
        var execution = new Execution.ExecutionClient(invoker);
        var results = new ActionCache.ActionCacheClient(invoker);
        var blobs = new ContentAddressableStorage.ContentAddressableStorageClient(invoker);
        var capabilities = new Capabilities.CapabilitiesClient(invoker);
        return
        [
            Stream<ExecuteRequest, Operation>("POST", "actions:execute", Instance, "*", ExecuteRequest.Descriptor, execution.Execute),
            Stream<WaitExecutionRequest, Operation>("POST", "operations/{id}:waitExecution", Name, "*", WaitExecutionRequest.Descriptor, execution.WaitExecution),
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

    /// <summary>google/longrunning/operations.proto. WaitOperation has none there.</summary>
    private static IEnumerable<JsonRoute> OfOperations(CallInvoker invoker)
    {
        var operations = new Operations.OperationsClient(invoker);
        return
        [
            Unary<ListOperationsRequest, ListOperationsResponse>("GET", "operations", null, ListOperationsRequest.Descriptor, operations.ListOperationsAsync, V1, Name),
            Unary<GetOperationRequest, Operation>("GET", "operations/{id}", null, GetOperationRequest.Descriptor, operations.GetOperationAsync, V1, Name),
            Unary<DeleteOperationRequest, Empty>("DELETE", "operations/{id}", null, DeleteOperationRequest.Descriptor, operations.DeleteOperationAsync, V1, Name),
            Unary<CancelOperationRequest, Empty>("POST", "operations/{id}:cancel", "*", CancelOperationRequest.Descriptor, operations.CancelOperationAsync, V1, Name),
        ];
    }

    /// <summary>remote_asset.proto.</summary>
    private static IEnumerable<JsonRoute> OfAssets(CallInvoker invoker)
    {
        var (fetch, push) = (new Fetch.FetchClient(invoker), new Push.PushClient(invoker));
        return
        [
            Unary<FetchBlobRequest, FetchBlobResponse>("POST", "assets:fetchBlob", "*", FetchBlobRequest.Descriptor, fetch.FetchBlobAsync, V1) with { IsLong = true },
            Unary<FetchDirectoryRequest, FetchDirectoryResponse>("POST", "assets:fetchDirectory", "*", FetchDirectoryRequest.Descriptor, fetch.FetchDirectoryAsync, V1) with { IsLong = true },
            Unary<PushBlobRequest, PushBlobResponse>("POST", "assets:pushBlob", "*", PushBlobRequest.Descriptor, push.PushBlobAsync, V1),
            Unary<PushDirectoryRequest, PushDirectoryResponse>("POST", "assets:pushDirectory", "*", PushDirectoryRequest.Descriptor, push.PushDirectoryAsync, V1),
        ];
    }

    private static JsonRoute Unary<TRequest, TResponse>(
        string method, string template, string? body, MessageDescriptor request, Func<TRequest, CallOptions, AsyncUnaryCall<TResponse>> call,
        string root = V2, string front = Instance)
        where TResponse : IMessage => new(
            method, root, template, front, body, request,
            async (message, options) =>
            {
                using var running = call((TRequest)message, options);
                return await running.ResponseAsync;
            },
            Stream: null);

    private static JsonRoute Stream<TRequest, TResponse>(
        string method, string template, string front, string? body, MessageDescriptor request, Func<TRequest, CallOptions, AsyncServerStreamingCall<TResponse>> call)
        where TResponse : IMessage => new(
            method, V2, template, front, body, request, Call: null, (message, options) => ReadAsync(call((TRequest)message, options), options.CancellationToken));

    private static async IAsyncEnumerable<IMessage> ReadAsync<TResponse>(AsyncServerStreamingCall<TResponse> call, [EnumeratorCancellation] CancellationToken cancellationToken)
        where TResponse : IMessage
    {
        using (call)
        {
            while (await call.ResponseStream.MoveNext(cancellationToken)) yield return call.ResponseStream.Current;
        }
    }
}
