using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using Stage = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Conformance;

/// <summary>Who waits in line and in which order, and what becomes of what nobody waits for (REAPI E11, E18).</summary>
internal static class LineChecks
{
    private const string Endless = "while :; do sleep 0.1; done";

    // Before all that the order is asked of, and not called back for it.
    private const int Urgent = -1000;

    // Nobody tells the end of what nobody watches.
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    public static IEnumerable<Check> All =>
    [
        new("E11", "three that wait for one slot run in the order of their priorities, and not in that in which they came", "-50, 0, 50", async peer =>
        {
            await peer.RequireExecutionAsync();
            if (peer.Slots is not { } slots) throw new NotOfferedException("how many actions run at once is not said (--slots)");

            var calls = new List<AsyncServerStreamingCall<Operation>>();
            var crowd = new Queue<string>();
            try
            {
                // As many again stand before the three: a server may have handed out one for each slot ahead of its turn.
                while (crowd.Count < 2 * slots) crowd.Enqueue(await BeginAsync(peer, calls, Endless, Urgent));
                string[] three = [await BeginAsync(peer, calls, "exit 0", 50), await BeginAsync(peer, calls, "exit 0", 0), await BeginAsync(peer, calls, "exit 0", -50)];
                foreach (string name in three)
                {
                    if (await StageAsync(peer, name) != Stage.Queued) throw new NotOfferedException($"more than {2 * slots} actions run at once");
                }

                // One slot is left for all of them in the end, whoever of the crowd has the others.
                while (crowd.Count >= slots) await CancelAsync(peer, crowd.Dequeue());
                var ran = new List<(int Priority, DateTimeOffset At)>();
                foreach (var (call, priority) in calls[^3..].Zip([50, 0, -50]))
                {
                    if (await peer.UntilAsync(call, update => update.Done) is not { } end) return "no end";
                    ran.Add((priority, end.Response.Unpack<ExecuteResponse>().Result.ExecutionMetadata.ExecutionStartTimestamp.ToDateTimeOffset()));
                }

                return string.Join(", ", ran.OrderBy(each => each.At).Select(each => each.Priority));
            }
            finally
            {
                foreach (string name in crowd) await CancelAsync(peer, name);
                calls.ForEach(call => call.Dispose());
            }
        }),
        new("E18", "what runs for a client that is lost and never comes back has its end all the same", "done", async peer =>
            await EndOfAbandonedAsync(peer, "sleep 2") is null ? "forgotten" : "done"),
        new("E18", "what would run for ever for a client that is lost is ended", "CANCELLED or DEADLINE_EXCEEDED", async peer =>
            await EndOfAbandonedAsync(peer, Endless) is { } end ? StatusNames.Of(end.Status?.Code ?? 0) : "forgotten") { IsSlow = true },
    ];

    /// <summary>Null when the operation is forgotten before its end. Only looked at: who waits for it is a client that has come back.</summary>
    private static async Task<ExecuteResponse?> EndOfAbandonedAsync(Peer peer, string script)
    {
        await peer.RequireExecutionAsync();
        using var line = peer.OpenLine();
        using var call = line.Execution.Execute(
            new ExecuteRequest { InstanceName = peer.Instance, ActionDigest = await peer.StoreAsync(new ActionDraft(script)) }, cancellationToken: peer.Deadline);
        string name = (await peer.UntilExecutingAsync(call))!.Name;
        line.Lose();
        while (true)
        {
            try
            {
                var operation = await Peer.OfferedAsync(peer.Operations.GetOperationAsync(new GetOperationRequest { Name = name }).ResponseAsync);
                if (operation.Done) return operation.Response.Unpack<ExecuteResponse>();
            }
            catch (RpcException failure) when (failure.StatusCode == StatusCode.NotFound)
            {
                return null;
            }

            await Task.Delay(Pause, TimeProvider.System, peer.Deadline);
        }
    }

    private static async Task<string> BeginAsync(Peer peer, List<AsyncServerStreamingCall<Operation>> calls, string script, int priority)
    {
        var draft = new ActionDraft(script);
        draft.Request.ExecutionPolicy = new ExecutionPolicy { Priority = priority };
        var call = peer.Execute(await peer.StoreAsync(draft), draft.Request);
        calls.Add(call);
        return (await peer.UntilAsync(call, _ => true))?.Name ?? throw new RpcException(new Status(StatusCode.DataLoss, "the stream ended without an operation"));
    }

    private static async Task<Stage> StageAsync(Peer peer, string name) => Run.MetadataOf(await peer.Operations.GetOperationAsync(new GetOperationRequest { Name = name })).Stage;

    private static async Task CancelAsync(Peer peer, string name) => await peer.Operations.CancelOperationAsync(new CancelOperationRequest { Name = name });
}
