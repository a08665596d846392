using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Action results by action digest (REAPI 1.8). <paramref name="cache"/> answers only complete results.</summary>
internal sealed class ActionCacheService(IActionCache cache, IBlobStore store, ServicesOptions options, AnswerBudget unsent) : ActionCache.ActionCacheBase
{
    private readonly ResultOutputs _outputs = new(store, options);
    private readonly Inlining _inlining = new(store, options);

    public override async Task<ActionResult> GetActionResult(GetActionResultRequest request, ServerCallContext context)
    {
        var instance = Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.ActionDigest, options.UnnamedDigestFunction);
        var action = WireDigests.FromWire(request.ActionDigest, function, "action_digest");

        var result = await cache.GetAsync(new ActionCacheKey(instance, action), context.CancellationToken);
        if (result is null) throw RpcErrors.NotFound("action result", action.ToString());

        PublicUsage.MakePublic(result);
        // Where too many answers lie here already, this one goes without (REAPI A2).
        if (Inlining.IsWanted(request.InlineStdout, request.InlineStderr, request.InlineOutputFiles)
            && unsent.TryTake(
                context.Peer, _inlining.BytesOf(result, request.InlineStdout, request.InlineStderr, request.InlineOutputFiles), out var held))
        {
            if (held is not null) context.HoldUntilSent(held);
            await _inlining.ApplyAsync(
                result, function, request.InlineStdout, request.InlineStderr, request.InlineOutputFiles, context.CancellationToken);
        }

        return result;
    }

    public override async Task<ActionResult> UpdateActionResult(UpdateActionResultRequest request, ServerCallContext context)
    {
        // Announced in the capabilities too; a client that writes all the same is told quietly (REAPI A4).
        if (!options.ActionCacheUpdateEnabled)
            throw new RpcException(new Status(StatusCode.PermissionDenied, "this server takes no action results from clients"));

        var instance = Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.ActionDigest, options.UnnamedDigestFunction);
        var action = WireDigests.FromWire(request.ActionDigest, function, "action_digest");
        var result = request.ActionResult ?? throw RpcErrors.InvalidField("action_result", "action_result is not set");
        // A failure is never answered as a hit (REAPI A7), so it is not taken as an entry either.
        if (result.ExitCode != 0)
            throw RpcErrors.InvalidField("action_result.exit_code", $"the command failed with exit code {result.ExitCode}, failures are not cached");

        var missing = await _outputs.FindMissingAsync(result, action, context.CancellationToken);
        if (missing.Count > 0) throw RpcErrors.MissingBlobs(missing);

        // The Action itself may be absent: clients also store what never was one (REAPI A4).
        await _inlining.StripAsync(result, function, context.CancellationToken);
        result.ExecutionMetadata ??= new ExecutedActionMetadata();
        // Never empty on the wire (REAPI A5), and it says where the entry comes from.
        if (result.ExecutionMetadata.Worker.Length == 0) result.ExecutionMetadata.Worker = "uploaded by a client";
        await cache.PutAsync(new ActionCacheKey(instance, action), result, context.CancellationToken);
        return result;
    }
}
