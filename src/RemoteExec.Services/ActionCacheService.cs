using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Action results by action digest (REAPI 1.8). <paramref name="cache"/> answers only complete results.</summary>
internal sealed class ActionCacheService(IActionCache cache, ResultUploads uploads, IBlobStore store, ServicesOptions options, AnswerBudget unsent) : ActionCache.ActionCacheBase
{
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
                context, _inlining.BytesOf(result, request.InlineStdout, request.InlineStderr, request.InlineOutputFiles), out var held))
        {
            if (held is not null) context.HoldUntilSent(held);
            await _inlining.ApplyAsync(
                result, function, request.InlineStdout, request.InlineStderr, request.InlineOutputFiles, context.CancellationToken);
        }

        return result;
    }

    public override async Task<ActionResult> UpdateActionResult(UpdateActionResultRequest request, ServerCallContext context)
    {
        uploads.CheckEnabled();
        var instance = Door.Instance(request.InstanceName);
        var function = WireDigests.FunctionOf(request.DigestFunction, request.ActionDigest, options.UnnamedDigestFunction);
        var action = WireDigests.FromWire(request.ActionDigest, function, "action_digest");
        var result = request.ActionResult ?? throw RpcErrors.InvalidField("action_result", "action_result is not set");
        await uploads.StoreAsync(new ActionCacheKey(instance, action), result, request.ResultsCachePolicy?.Priority ?? 0, context.CancellationToken);
        return result;
    }
}
