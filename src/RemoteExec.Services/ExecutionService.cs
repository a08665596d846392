using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Runs actions (REAPI 1.9). The journey of a call: instance, digest, action cache, the action's door, the queue, and then
/// the operation's states until it is done. What the door finds missing is made again where that can be (Rederivation/).
/// </summary>
/// <param name="rederivations">Null where lost inputs are not made again.</param>
internal sealed class ExecutionService(
    Scheduler scheduler, IActionCache cache, IBlobStore store, ActionDoor door, Rederivations? rederivations, ServicesOptions options, AnswerBudget unsent)
    : Execution.ExecutionBase
{
    private readonly Inlining _inlining = new(store, options);

    public override Task Execute(ExecuteRequest request, IServerStreamWriter<Operation> responseStream, ServerCallContext context) =>
        OperationStream.ServeAsync(responseStream, unsent, context, stream => ExecuteAsync(request, stream, context));

    public override Task WaitExecution(
        WaitExecutionRequest request, IServerStreamWriter<Operation> responseStream, ServerCallContext context) =>
        OperationStream.ServeAsync(responseStream, unsent, context, async stream =>
        {
            using var feed = scheduler.Watch(request.Name, context.HasClientCancelled) ?? throw RpcErrors.NotFound("operation", RequestOrigins.Clean(request.Name));
            await FollowAsync(feed, request: null, feed.Current.Request.Action.Function, stream, context);
        });

    private async Task ExecuteAsync(ExecuteRequest request, OperationStream stream, ServerCallContext context)
    {
        if (!options.ExecutionEnabled)
            throw new RpcException(new Status(StatusCode.PermissionDenied, "this server does not execute actions"));

        var instance = Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.ActionDigest, options.UnnamedDigestFunction);
        var action = WireDigests.FromWire(request.ActionDigest, function, "action_digest");

        // Before the action is even read: a hit needs nothing but its digest, and hits are most of all calls.
        if (!request.SkipCacheLookup && await FindCachedAsync(instance, action, context.CancellationToken) is { } hit)
        {
            bool isInlined = await InlineAsync(hit, request, function, context);
            await stream.SendAsync(OperationMessages.Immediate(NewName(), action, CachedResponse(action, hit)), isInlined);
            return;
        }

        ExecutionRequest asked;
        InputHold? hold = null;
        try
        {
            asked = Describe(request, instance, await door.AdmitAsync(action, trustsMemory: true, context.CancellationToken), context);
        }
        catch (MissingInputsException inputs)
        {
            if (rederivations is null || inputs.Action is not { } lacking)
            {
                await AnswerMissingAsync(action, inputs, stream);
                return;
            }

            asked = Describe(request, instance, lacking, context);
            hold = await rederivations.TryHoldAsync(asked, inputs.Missing, context.CancellationToken);
            if (hold is null)
            {
                await AnswerMissingAsync(action, inputs, stream);
                return;
            }
        }

        using var feed = await scheduler.SubmitAsync(asked, hold, context.HasClientCancelled, context.CancellationToken);
        await FollowAsync(feed, request, function, stream, context);
    }

    /// <summary>Sends each state. Returns when the last one was the end; whatever else ends the feed is an error of the call.</summary>
    private async ValueTask FollowAsync(
        OperationFeed feed, ExecuteRequest? request, DigestFunction function, OperationStream stream, ServerCallContext context)
    {
        await foreach (var operation in feed.ReadAllAsync(options.BeatInterval, context.CancellationToken))
        {
            var wire = OperationMessages.ToWire(operation, options.WebAddress);
            bool isInlined = operation.IsDone && request is not null && await InlineAsync(wire, operation, request, function, context);
            await stream.SendAsync(wire, isInlined);
        }
    }

    private async ValueTask<ActionResult?> FindCachedAsync(InstanceName instance, Digest action, CancellationToken cancellationToken)
    {
        var result = await cache.GetAsync(new ActionCacheKey(instance, action), cancellationToken);
        // A failure is never served as a hit (REAPI A7); the client asks in order to see it run.
        if (result is not { ExitCode: 0 }) return null;

        PublicUsage.MakePublic(result);
        return result;
    }

    private ExecuteResponse CachedResponse(Digest action, ActionResult result) => new()
    {
        Result = result,
        CachedResult = true,
        Status = new RpcStatus(),
        Message = ExecutionStory.OfCacheHit(action, options.WebAddress),
    };

    /// <summary>
    /// As the call's status where the list fits into a trailer, else as an operation that is done, whose message has room
    /// for many more (REAPI E2 allows both).
    /// </summary>
    private static async ValueTask AnswerMissingAsync(Digest action, MissingInputsException inputs, OperationStream stream)
    {
        if (RpcErrors.FitsTrailer(inputs.Missing)) throw RpcErrors.MissingBlobs(inputs.Missing, inputs.First);

        var status = RpcErrors.MissingBlobsStatus(inputs.Missing, inputs.First);
        await stream.SendAsync(
            OperationMessages.Immediate(NewName(), action, new ExecuteResponse { Status = status, Message = status.Message }), isHeld: false);
    }

    private ExecutionRequest Describe(ExecuteRequest request, InstanceName instance, AdmittedAction admitted, ServerCallContext context) =>
        ExecutionRequests.Of(instance, admitted, options.ActionTimeoutDefault) with
        {
            Priority = request.ExecutionPolicy?.Priority ?? 0,
            ResultPriority = request.ResultsCachePolicy?.Priority ?? 0,
            SkipCacheLookup = request.SkipCacheLookup,
            Origin = RequestOrigins.From(context.RequestHeaders),
        };

    /// <summary>False when the result stays as it is: nothing is asked for, or too many answers lie here already (REAPI A2).</summary>
    private async ValueTask<bool> InlineAsync(ActionResult result, ExecuteRequest request, DigestFunction function, ServerCallContext context)
    {
        if (!Inlining.IsWanted(request.InlineStdout, request.InlineStderr, request.InlineOutputFiles)) return false;

        long bytes = _inlining.BytesOf(result, request.InlineStdout, request.InlineStderr, request.InlineOutputFiles);
        if (!unsent.TryTake(context, bytes, out var held)) return false;
        if (held is not null) context.HoldUntilSent(held);
        return await _inlining.ApplyAsync(
            result, function, request.InlineStdout, request.InlineStderr, request.InlineOutputFiles, context.CancellationToken);
    }

    private async ValueTask<bool> InlineAsync(
        Operation wire, OperationSnapshot done, ExecuteRequest request, DigestFunction function, ServerCallContext context)
    {
        if (!Inlining.IsWanted(request.InlineStdout, request.InlineStderr, request.InlineOutputFiles)) return false;

        var response = OperationMessages.ParseResponse(done, options.WebAddress);
        if (response.Result is not { } result || !await InlineAsync(result, request, function, context)) return false;
        wire.Response = Any.Pack(response);
        return true;
    }

    // Nobody can ask for it later: it is done with its first message.
    private static string NewName() => $"operations/{Guid.NewGuid():n}";
}
