using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Stage = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Conformance;

/// <summary>How an execution goes, and what is told of it meanwhile (REAPI E5–E20).</summary>
internal static class ExecutionChecks
{
    // Until it is told to go on, or its timeout ends it; so nothing has to be fast.
    // Says something else each time that it runs, and is there for long enough to be found running; where it is not, a cache answers the same.
    private const string Telling = "cat /proc/sys/kernel/random/uuid; sleep 2";

    private const string Endless = "while :; do sleep 0.1; done";

    // More than most servers run and hand out ahead at once, twice.
    private const int Crowd = 24;

    public static IEnumerable<Check> All =>
    [
        new("E5", "a command that fails is a success of the call, with its exit code", "OK, exit code 42", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 42"));
            return $"{ran.StatusName}, exit code {ran.Result.ExitCode}";
        }),
        new("E5", "a command past its timeout is DEADLINE_EXCEEDED in the response, not in the call", "DEADLINE_EXCEEDED, then OK", async peer =>
        {
            var ran = await peer.RunOfferedAsync(Timing(Endless));
            return $"{ran.StatusName}, then OK";
        }),
        new("E5", "an operation that is cancelled ends as CANCELLED in its response", "CANCELLED", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft(Endless)));
            var first = await peer.UntilExecutingAsync(call);
            await CancelAsync(peer, first!.Name);
            return EndOf(await peer.UntilAsync(call, operation => operation.Done));
        }),
        new("E6", "the error of an operation is never set, a done one carries its response", "a response", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 1"));
            return ran.Updates.Any(update => update.Error is not null) ? "an error" : ran.Last.Response is null ? "neither" : "a response";
        }),
        new("E7", "skip_cache_lookup runs again", "ran", async peer =>
        {
            var draft = new ActionDraft("exit 0");
            var first = await peer.RunOfferedAsync(draft);
            return (await peer.RunAsync(first.Action, new ExecuteRequest { SkipCacheLookup = true })).Response.CachedResult ? "from the cache" : "ran";
        }),
        new("E7", "skip_cache_lookup writes what came of it over what was there", "the new one", async peer =>
        {
            var first = await peer.RunOfferedAsync(new ActionDraft("cat /proc/sys/kernel/random/uuid"));
            var second = await peer.RunAsync(first.Action, new ExecuteRequest { SkipCacheLookup = true });
            string cached = await peer.StdoutAsync(await peer.ResultAsync(first.Action));
            return cached == await peer.StdoutAsync(first.Result) ? "the old one" : cached == await peer.StdoutAsync(second.Result) ? "the new one" : "neither";
        }),
        new("E8", "do_not_cache is not merged with equal work in flight", "another run", async peer =>
            await TellTwiceAsync(peer, new ActionDraft(Telling).With(draft => draft.Action.DoNotCache = true)) ? "one run" : "another run"),
        new("E9", "equal work in flight is one run, and all have its result", "one run", async peer =>
            await TellTwiceAsync(peer, new ActionDraft(Telling)) ? "one run" : "another run") { IsOurChoice = true },
        new("E8", "do_not_cache runs again", "ran", async peer =>
        {
            var first = await peer.RunOfferedAsync(new ActionDraft("exit 0").With(draft => draft.Action.DoNotCache = true));
            return (await peer.RunAsync(first.Action)).Response.CachedResult ? "from the cache" : "ran";
        }),
        new("E9", "of equal work in flight each has a handle of his own, and cancelling one leaves the other", "CANCELLED, the other goes on", async peer =>
        {
            await peer.RequireExecutionAsync();
            var action = await peer.StoreAsync(new ActionDraft(Endless));
            using var first = peer.Execute(action);
            var one = await peer.UntilExecutingAsync(first);
            using var second = peer.Execute(action);
            var other = await peer.UntilAsync(second, _ => true);
            if (one!.Name == other!.Name) return "one handle for both";

            await CancelAsync(peer, one.Name);
            string end = EndOf(await peer.UntilAsync(first, operation => operation.Done));
            var left = await peer.Operations.GetOperationAsync(new Google.LongRunning.GetOperationRequest { Name = other.Name });
            await CancelAsync(peer, other.Name);
            return $"{end}, {(left.Done ? "the other ended" : "the other goes on")}";
        }) { IsOurChoice = true },
        new("E10", "a hit says so, and is complete at once", "cached, COMPLETED", async peer =>
        {
            var first = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            var again = await peer.RunAsync(first.Action);
            return $"{(again.Response.CachedResult ? "cached" : "ran")}, {again.Metadata.Last().Stage.ToString().ToUpperInvariant()}";
        }),
        new("E11", "a negative priority is taken", "OK", async peer =>
            (await peer.RunOfferedAsync(new ActionDraft("exit 0").With(draft => draft.Request.ExecutionPolicy = new ExecutionPolicy { Priority = -50 }))).StatusName),
        new("E11", "what is more urgent passes what waited before it", "the urgent one", async peer =>
        {
            await peer.RequireExecutionAsync();
            var calls = new List<AsyncServerStreamingCall<Google.LongRunning.Operation>>();
            var crowd = new List<string>();
            try
            {
                while (crowd.Count < Crowd) crowd.Add(await BeginAsync(peer, calls, Endless, priority: 0));
                string patient = await BeginAsync(peer, calls, "exit 0", priority: 50);
                await BeginAsync(peer, calls, "exit 0", priority: -50);
                if (await StageAsync(peer, patient) != Stage.Queued) throw new NotOfferedException($"more than {Crowd} actions run at once");

                // Half of them make room, and half of them stay before the patient one.
                foreach (string name in crowd.Take(Crowd / 2)) await CancelAsync(peer, name);
                if (await peer.UntilAsync(calls[^1], update => update.Done) is null) return "no end";
                return await StageAsync(peer, patient) == Stage.Queued ? "the urgent one" : "both";
            }
            finally
            {
                foreach (string name in crowd) await CancelAsync(peer, name);
                calls.ForEach(call => call.Dispose());
            }
        }),
        new("E12", "what is asked to be inlined is inlined, or told by its digest", "out, err and file", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("printf out; printf err >&2; printf file > f").With(draft =>
            {
                (draft.Request.InlineStdout, draft.Request.InlineStderr) = (true, true);
                draft.Request.InlineOutputFiles.Add("f");
                draft.Command.OutputPaths.Add("f");
            }));
            var err = ran.Result.StderrDigest is { SizeBytes: > 0 } digest ? await peer.ReadAsync(digest) : ran.Result.StderrRaw.ToByteArray();
            return $"{await peer.StdoutAsync(ran.Result)}, {System.Text.Encoding.UTF8.GetString(err)} and {await peer.OutputAsync(ran.Result, "f")}";
        }),
        new("E13", "the first message has a name, the last is done, and the stream ends OK", "named, done", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            return $"{(ran.Updates[0].Name.Length > 0 ? "named" : "nameless")}, {(ran.Updates.Count(update => update.Done) == 1 && ran.Last.Done ? "done" : "not done")}";
        }),
        new("E13", "all messages of a stream have one name", "1", async peer =>
            $"{(await peer.RunOfferedAsync(new ActionDraft("exit 0"))).Updates.Select(update => update.Name).Distinct().Count()}"),
        new("E14", "stages go forward, and only the last is COMPLETED", "forward", async peer =>
        {
            Stage[] stages = [.. (await peer.RunOfferedAsync(new ActionDraft("exit 0"))).Metadata.Select(each => each.Stage)];
            return stages.SequenceEqual(stages.Order()) && stages.Count(each => each == Stage.Completed) == 1 && stages[^1] == Stage.Completed ? "forward" : string.Join(", ", stages);
        }),
        new("E15", "the metadata has the action's digest, and the function", "both", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 0"));
            var metadata = ran.Metadata.Last();
            return ran.Action.Equals(metadata.ActionDigest) && metadata.DigestFunction == WireDigestFunction.Sha256 ? "both" : $"{metadata}";
        }),
        new("E16", "a long wait is never silent for more than 30 s", "told", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("sleep 35")));
            await peer.UntilExecutingAsync(call);
            return await peer.UntilAsync(call, _ => true) is { Done: false } ? "told" : "silent until the end";
        }) { IsSlow = true },
        new("E17", "WaitExecution says at once where an execution stands, and then its end", "EXECUTING, done", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft(Endless)));
            var operation = await peer.UntilExecutingAsync(call);
            using var wait = peer.Execution.WaitExecution(new WaitExecutionRequest { Name = operation!.Name });
            var first = await peer.UntilAsync(wait, _ => true);
            string stage = Run.MetadataOf(first!).Stage.ToString().ToUpperInvariant();
            await CancelAsync(peer, operation.Name);
            return $"{stage}, {(await peer.UntilAsync(wait, update => update.Done) is null ? "not done" : "done")}";
        }),
        new("E17", "WaitExecution of a finished execution has its response", "exit code 7", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("exit 7"));
            using var wait = peer.Execution.WaitExecution(new WaitExecutionRequest { Name = ran.Last.Name });
            return $"exit code {new Run(ran.Action, await peer.AllAsync(wait)).Result.ExitCode}";
        }),
        new("E17", "WaitExecution of a name that nobody gave is NOT_FOUND", "NOT_FOUND", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var wait = peer.Execution.WaitExecution(new WaitExecutionRequest { Name = $"operations/{Guid.NewGuid()}" });
            return $"{(await peer.AllAsync(wait)).Count} updates";
        }),
        new("E18", "a client whose connection is lost comes back to a running execution", "OK", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var line = peer.OpenLine();
            using var call = line.Execution.Execute(
                new ExecuteRequest { InstanceName = peer.Instance, ActionDigest = await peer.StoreAsync(new ActionDraft("sleep 2")) }, cancellationToken: peer.Deadline);
            string name = (await peer.UntilExecutingAsync(call))!.Name;
            line.Lose();
            using var wait = peer.Execution.WaitExecution(new WaitExecutionRequest { Name = name });
            return EndOf((await peer.AllAsync(wait))[^1]);
        }),
    ];

    /// <summary>Whether two who ask for one action, the second while it runs for the first, are told the same.</summary>
    private static async Task<bool> TellTwiceAsync(Peer peer, ActionDraft draft)
    {
        await peer.RequireExecutionAsync();
        var action = await peer.StoreAsync(draft);
        using var first = peer.Execute(action);
        await peer.UntilExecutingAsync(first);
        var second = await peer.RunAsync(action);
        var ended = await peer.UntilAsync(first, operation => operation.Done);
        return await peer.StdoutAsync(second.Result) == await peer.StdoutAsync(ended!.Response.Unpack<ExecuteResponse>().Result);
    }

    private static ActionDraft Timing(string script) => new ActionDraft(script).With(draft => draft.Action.Timeout = new Duration { Seconds = 1 });

    private static async Task<string> BeginAsync(Peer peer, List<AsyncServerStreamingCall<Google.LongRunning.Operation>> calls, string script, int priority)
    {
        var draft = new ActionDraft(script);
        draft.Request.ExecutionPolicy = new ExecutionPolicy { Priority = priority };
        var call = peer.Execute(await peer.StoreAsync(draft), draft.Request);
        calls.Add(call);
        return (await peer.UntilAsync(call, _ => true))?.Name ?? throw new RpcException(new Status(StatusCode.DataLoss, "the stream ended without an operation"));
    }

    private static async Task<Stage> StageAsync(Peer peer, string name) =>
        Run.MetadataOf(await peer.Operations.GetOperationAsync(new Google.LongRunning.GetOperationRequest { Name = name })).Stage;

    private static async Task CancelAsync(Peer peer, string name) =>
        await peer.Operations.CancelOperationAsync(new Google.LongRunning.CancelOperationRequest { Name = name });

    private static string EndOf(Google.LongRunning.Operation? operation) =>
        operation is { Done: true } ? StatusNames.Of(operation.Response.Unpack<ExecuteResponse>().Status?.Code ?? 0) : "no end";
}
