using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;

namespace RemoteExec.Conformance;

/// <summary>What is told of a run besides its outputs (REAPI T1–T5).</summary>
internal static class ResultMetadataChecks
{
    public static IEnumerable<Check> All =>
    [
        new("T1", "the times of a run are all there, one after the other", "in order", async peer =>
        {
            var times = (await peer.RunOfferedAsync(new ActionDraft("exit 0"))).Result.ExecutionMetadata;
            Timestamp?[] order =
            [
                times.QueuedTimestamp, times.WorkerStartTimestamp, times.InputFetchStartTimestamp, times.InputFetchCompletedTimestamp, times.ExecutionStartTimestamp,
                times.ExecutionCompletedTimestamp, times.OutputUploadStartTimestamp, times.OutputUploadCompletedTimestamp, times.WorkerCompletedTimestamp,
            ];
            return order.Any(time => time is null) ? $"{order.Count(time => time is null)} are not set"
                : order.Zip(order.Skip(1)).All(pair => pair.First <= pair.Second) ? "in order" : string.Join(" ", order.Select(time => time!.ToDateTime().ToString("ss.fff", null)));
        }),
        new("T1", "the worker, and the time on the command's own clock", "both", async peer =>
        {
            var metadata = (await peer.RunOfferedAsync(new ActionDraft("exit 0"))).Result.ExecutionMetadata;
            return metadata.Worker.Length > 0 && metadata.VirtualExecutionDuration is not null ? "both" : $"worker '{metadata.Worker}', {metadata.VirtualExecutionDuration}";
        }),
        new("T2", "what a run used is told", "told", async peer =>
            (await peer.RunOfferedAsync(new ActionDraft("exit 0"))).Result.ExecutionMetadata.AuxiliaryMetadata.Count > 0 ? "told" : throw new NotOfferedException("no auxiliary_metadata")),
        new("T3", "a response has a message for people", "a line", async peer =>
            (await peer.RunOfferedAsync(new ActionDraft("exit 1"))).Response.Message.Length > 0 ? "a line" : "nothing"),
        new("T3", "so has that of a success, and of one that was cached", "a line, a line", async peer =>
        {
            var draft = new ActionDraft("exit 0");
            var (ran, again) = (await peer.RunOfferedAsync(draft), await peer.RunOfferedAsync(draft));
            return $"{LineOf(ran)}, {LineOf(again)}";
        }),
        new("T3", "so has that of a command that ran out of time, that is not there, or that was cancelled", "a line, a line, a line", async peer =>
        {
            var late = await peer.RunOfferedAsync(new ActionDraft("while :; do sleep 0.1; done").With(draft => draft.Action.Timeout = new Duration { Seconds = 1 }));
            var absent = await peer.RunOfferedAsync(new ActionDraft("").With(draft => draft.Command.Arguments[0] = "/no/such/program"));
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("while :; do sleep 0.1; done")));
            var running = await peer.UntilExecutingAsync(call);
            await peer.Operations.CancelOperationAsync(new Google.LongRunning.CancelOperationRequest { Name = running!.Name });
            var cancelled = await peer.UntilAsync(call, update => update.Done);
            return $"{LineOf(late)}, {LineOf(absent)}, {(cancelled?.Response.Unpack<ExecuteResponse>().Message.Length > 0 ? "a line" : "nothing")}";
        }),
        new("T4", "what was written before a signal ended the command is kept", "OK 137, before", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("printf before; kill -9 $$").With(draft => draft.Request.InlineStdout = true));
            return $"{ran.StatusName} {ran.Result?.ExitCode}, {(ran.Result is null ? "nothing" : await peer.StdoutAsync(ran.Result))}";
        }),
        new("T4", "what was written before the timeout is kept", "DEADLINE_EXCEEDED, before", async peer =>
        {
            var ran = await peer.RunOfferedAsync(new ActionDraft("printf before; while :; do sleep 0.1; done").With(draft =>
            {
                draft.Action.Timeout = new Duration { Seconds = 4 };
                draft.Request.InlineStdout = true;
            }));
            return $"{ran.StatusName}, {(ran.Result is null ? "nothing" : await peer.StdoutAsync(ran.Result))}";
        }),
        new("T5", "output is read while the command runs", "so far", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("printf 'so far'; while :; do sleep 0.1; done")));
            var named = await peer.UntilAsync(call, operation => operation.Done || Run.MetadataOf(operation).StdoutStreamName.Length > 0);
            if (named is null or { Done: true }) throw new NotOfferedException("no stdout_stream_name");

            using var read = peer.Bytes.Read(new Google.Bytestream.ReadRequest { ResourceName = Run.MetadataOf(named).StdoutStreamName });
            string seen = "";
            while (seen.Length < "so far".Length && await read.ResponseStream.MoveNext(peer.Deadline)) seen += read.ResponseStream.Current.Data.ToStringUtf8();
            await peer.Operations.CancelOperationAsync(new Google.LongRunning.CancelOperationRequest { Name = named.Name });
            return seen;
        }),
        new("T5", "the first update that says EXECUTING names both streams", "both", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("sleep 1")));
            var first = await peer.UntilAsync(call, operation => operation.Done || Run.MetadataOf(operation).Stage == ExecutionStage.Types.Value.Executing);
            if (first is null or { Done: true }) throw new NotOfferedException("nothing says EXECUTING");
            var metadata = Run.MetadataOf(first);
            var last = Run.MetadataOf((await peer.UntilAsync(call, operation => operation.Done))!);
            if (metadata.StdoutStreamName.Length + last.StdoutStreamName.Length == 0) throw new NotOfferedException("no stdout_stream_name");
            return metadata.StdoutStreamName.Length > 0 && metadata.StderrStreamName.Length > 0 ? "both" : $"{metadata}";
        }),
        new("T5", "the stream of a command that was cancelled keeps what it had", "so far", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("printf 'so far'; while :; do sleep 0.1; done")));
            var named = await peer.UntilAsync(call, operation => operation.Done || Run.MetadataOf(operation).StdoutStreamName.Length > 0);
            if (named is null or { Done: true }) throw new NotOfferedException("no stdout_stream_name");

            string name = Run.MetadataOf(named).StdoutStreamName;
            using (var read = peer.Bytes.Read(new Google.Bytestream.ReadRequest { ResourceName = name })) await read.ResponseStream.MoveNext(peer.Deadline);
            await peer.Operations.CancelOperationAsync(new Google.LongRunning.CancelOperationRequest { Name = named.Name });
            return System.Text.Encoding.UTF8.GetString(await peer.ReadAsync(name));
        }),
        new("T5", "the stream of a command that ended has all of it, and ends", "first last", async peer =>
        {
            await peer.RequireExecutionAsync();
            using var call = peer.Execute(await peer.StoreAsync(new ActionDraft("printf 'first '; sleep 1; printf last")));
            var named = await peer.UntilAsync(call, operation => operation.Done || Run.MetadataOf(operation).StdoutStreamName.Length > 0);
            if (named is null or { Done: true }) throw new NotOfferedException("no stdout_stream_name");
            return System.Text.Encoding.UTF8.GetString(await peer.ReadAsync(Run.MetadataOf(named).StdoutStreamName));
        }),
    ];

    private static string LineOf(Run run) => run.Response.Message.Length > 0 ? "a line" : "nothing";
}
