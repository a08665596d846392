using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>Results that clients bring, whichever way they come (REAPI A3).</summary>
public sealed class ResultUploads(IActionCache cache, IBlobStore store, ServicesOptions options)
{
    private readonly ResultOutputs _outputs = new(store, options);
    private readonly Inlining _inlining = new(store, options);

    /// <exception cref="RpcException">PERMISSION_DENIED. Announced in the capabilities too; a client that writes all the same is told quietly (REAPI A4).</exception>
    public void CheckEnabled()
    {
        if (!options.ActionCacheUpdateEnabled)
            throw new RpcException(new Status(StatusCode.PermissionDenied, "this server takes no action results from clients"));
    }

    /// <inheritdoc cref="StoreAsync(ActionCacheKey, ActionResult, int, CancellationToken)"/>
    public Task StoreAsync(ActionCacheKey key, ActionResult result, CancellationToken cancellationToken) =>
        StoreAsync(key, result, priority: 0, cancellationToken);

    /// <summary>Stores it as it is to be served, which is what it is changed to.</summary>
    /// <param name="priority">REAPI ResultsCachePolicy.priority.</param>
    /// <exception cref="RpcException">INVALID_ARGUMENT for what is no success, FAILED_PRECONDITION with what is not stored of it.</exception>
    public async Task StoreAsync(ActionCacheKey key, ActionResult result, int priority, CancellationToken cancellationToken)
    {
        CheckEnabled();
        // A failure is never answered as a hit (REAPI A7), so it is not taken as an entry either.
        if (result.ExitCode != 0)
            throw RpcErrors.InvalidField("action_result.exit_code", $"the command failed with exit code {result.ExitCode}, failures are not cached");

        var kind = ResultPriority.ToPromise(priority);
        var (missing, all) = await _outputs.FindAsync(result, key.Action, kind, cancellationToken);
        if (missing.Count > 0) throw RpcErrors.MissingBlobs(missing);

        // The Action itself may be absent: clients also store what never was one (REAPI A4).
        await _outputs.JoinAsync(all, await _inlining.StripAsync(result, key.Action.Function, cancellationToken), kind, cancellationToken);
        result.ExecutionMetadata ??= new ExecutedActionMetadata();
        // Never empty on the wire (REAPI A5), and it says where the entry comes from.
        if (result.ExecutionMetadata.Worker.Length == 0) result.ExecutionMetadata.Worker = "uploaded by a client";
        await cache.PutAsync(key, result, cancellationToken);
    }
}
