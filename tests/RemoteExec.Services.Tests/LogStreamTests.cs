using System.Text;
using Build.Bazel.Remote.Execution.V2;
using Google.Bytestream;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>Output of running actions, from a worker's stream to a client's.</summary>
internal sealed class LogStreamTests : ServicesFixture
{
    private const string UnknownLog = "logstreams/00000000000000000000000000000001.1.stdout";

    private async Task<(AsyncServerStreamingCall<Operation> Call, Lease Lease, ExecuteOperationMetadata Metadata)> RunAsync(
        ScriptedWorker worker, string instance = "")
    {
        var action = await StoreActionAsync();
        var call = Execution.Execute(new ExecuteRequest { InstanceName = instance, ActionDigest = action.ToWire() }, cancellationToken: Soon);
        var lease = await worker.ReceiveLeaseAsync();
        await worker.StartAsync(lease);
        return (call, lease, await ExecutingAsync(call, attempt: 1));
    }

    private async Task<ExecuteOperationMetadata> ExecutingAsync(AsyncServerStreamingCall<Operation> call, int attempt)
    {
        while (true)
        {
            Assert.That(await call.ResponseStream.MoveNext(Soon), "the stream has ended");
            var metadata = call.ResponseStream.Current.Metadata.Unpack<ExecuteOperationMetadata>();
            if (metadata.Stage == Value.Executing && metadata.StdoutStreamName.EndsWith($".{attempt}.stdout", StringComparison.Ordinal)) return metadata;
        }
    }

    private static Task SayAsync(ScriptedWorker worker, Lease lease, long offset, string text, LeaseOutput.Types.Stream stream = LeaseOutput.Types.Stream.Stdout) =>
        worker.ShowAsync(new LeaseOutput { Lease = lease.Lease_, Stream = stream, Offset = offset, Data = ByteString.CopyFromUtf8(text) });

    private AsyncServerStreamingCall<ReadResponse> Follow(string name, long offset = 0, long limit = 0) =>
        Bytes.Read(new ReadRequest { ResourceName = name, ReadOffset = offset, ReadLimit = limit }, cancellationToken: Soon);

    private async Task<string> ReadAsync(AsyncServerStreamingCall<ReadResponse> call, int bytes)
    {
        var text = new StringBuilder();
        while (text.Length < bytes)
        {
            Assert.That(await call.ResponseStream.MoveNext(Soon), "the log has ended");
            text.Append(call.ResponseStream.Current.Data.ToStringUtf8());
        }

        return text.ToString();
    }

    private async Task<string> ReadToEndAsync(AsyncServerStreamingCall<ReadResponse> call)
    {
        var text = new StringBuilder();
        while (await call.ResponseStream.MoveNext(Soon)) text.Append(call.ResponseStream.Current.Data.ToStringUtf8());
        return text.ToString();
    }

    [Test] // REAPI BR7, E15, T5
    public async Task A_running_actions_output_is_followed_until_it_is_over()
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker, "some/where");
        Assert.That(metadata.StdoutStreamName, Does.Match("^some/where/logstreams/[0-9a-f]{32}\\.1\\.stdout$"));
        using var stdout = Follow(metadata.StdoutStreamName);
        using var stderr = Follow(metadata.StderrStreamName);

        await SayAsync(worker, lease, 0, "hello, ");
        Assert.That(await ReadAsync(stdout, 7), Is.EqualTo("hello, "));
        await SayAsync(worker, lease, 7, "world");
        Assert.That(await ReadAsync(stdout, 5), Is.EqualTo("world"));
        await SayAsync(worker, lease, 0, "oh", LeaseOutput.Types.Stream.Stderr);
        Assert.That(await ReadAsync(stderr, 2), Is.EqualTo("oh"));

        await worker.FinishAsync(lease, new ActionResult());
        Assert.That((await ReadToEndAsync(stdout), await ReadToEndAsync(stderr)), Is.EqualTo(("", "")));

        Operation? last = null;
        while (await call.ResponseStream.MoveNext(Soon)) last = call.ResponseStream.Current;
        Assert.That(last!.Metadata.Unpack<ExecuteOperationMetadata>().StdoutStreamName, Is.EqualTo(metadata.StdoutStreamName));
        call.Dispose();
    }

    [TestCase(true)] // REAPI T5: the worker's last words and its report come by different channels
    [TestCase(false)]
    public async Task What_a_command_wrote_last_is_shown_though_its_report_comes_first(bool isInline)
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker, "");
        using var _ = call;
        using var stdout = Follow(metadata.StdoutStreamName);
        using var stderr = Follow(metadata.StderrStreamName);
        await SayAsync(worker, lease, 0, "hello, ");
        Assert.That(await ReadAsync(stdout, 7), Is.EqualTo("hello, "));
        await SayAsync(worker, lease, 0, "o", LeaseOutput.Types.Stream.Stderr);
        Assert.That(await ReadAsync(stderr, 1), Is.EqualTo("o"));

        var result = new ActionResult { StderrDigest = (await StoreAsync("oh")).ToWire() };
        if (isInline) result.StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("hello, world");
        else result.StdoutDigest = (await StoreAsync("hello, world")).ToWire();
        await worker.FinishAsync(lease, result);

        Assert.That((await ReadToEndAsync(stdout), await ReadToEndAsync(stderr)), Is.EqualTo(("world", "h")));
    }

    [TestCase("")]
    [TestCase("some/where")] // the Go SDK puts it before whatever name it was given
    public async Task A_name_that_a_client_has_put_behind_instance_and_keyword_once_more_is_understood(string instance)
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker, instance);
        using var _ = call;
        await SayAsync(worker, lease, 0, "hello");
        await worker.FinishAsync(lease, new ActionResult());
        string prefix = instance.Length == 0 ? "" : instance + "/";

        Assert.That(await ReadToEndAsync(Follow($"{prefix}logstreams/{metadata.StdoutStreamName}")), Is.EqualTo("hello"));
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow($"else{prefix}/logstreams/{metadata.StdoutStreamName}"))), Is.EqualTo(StatusCode.NotFound));
    }

    [Test]
    public async Task A_late_reader_gets_all_that_is_kept_from_where_it_asks()
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker);
        using var _ = call;
        await SayAsync(worker, lease, 0, "hello, world");
        await worker.FinishAsync(lease, new ActionResult());

        Assert.That(await ReadToEndAsync(Follow(metadata.StdoutStreamName)), Is.EqualTo("hello, world"));
        Assert.That(await ReadToEndAsync(Follow(metadata.StdoutStreamName, offset: 7)), Is.EqualTo("world"));
        Assert.That(await ReadToEndAsync(Follow(metadata.StdoutStreamName, offset: 7, limit: 3)), Is.EqualTo("wor"));
        Assert.That(await ReadToEndAsync(Follow(metadata.StdoutStreamName, offset: 12)), Is.Empty);
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(metadata.StdoutStreamName, offset: 13))), Is.EqualTo(StatusCode.OutOfRange));
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(metadata.StdoutStreamName, offset: -1))), Is.EqualTo(StatusCode.OutOfRange));
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(metadata.StdoutStreamName, limit: -1))), Is.EqualTo(StatusCode.InvalidArgument));

        Time.Advance(Options.LiveLogKeep + TimeSpan.FromSeconds(1));
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(metadata.StdoutStreamName))), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // DESIGN D6
    public async Task Another_attempt_has_a_log_of_its_own_and_nobody_else_writes_to_it()
    {
        using var first = await JoinAsync("first");
        var (call, lease, metadata) = await RunAsync(first);
        using var _ = call;
        await SayAsync(first, lease, 0, "from the first");
        using var old = Follow(metadata.StdoutStreamName);
        await ReadAsync(old, "from the first".Length);

        using var second = await JoinAsync("second");
        await first.FailAsync(lease, StatusCode.Unavailable, "disk full");
        Assert.That(await ReadToEndAsync(old), Is.Empty, "it ends where it stands");
        await WaitOutLostAttemptAsync();
        var again = await second.ReceiveLeaseAsync();
        await second.StartAsync(again);
        var renamed = await ExecutingAsync(call, attempt: 2);

        // Once about the attempt it lost, once about the one it never had.
        await SayAsync(first, lease, 14, "!");
        await SayAsync(first, again, 0, "forged");
        await SayAsync(second, again, 0, "from the second");
        await second.FinishAsync(again, new ActionResult());

        Assert.That(await ReadToEndAsync(Follow(renamed.StdoutStreamName)), Is.EqualTo("from the second"));
        Assert.That(await ReadToEndAsync(Follow(metadata.StdoutStreamName)), Is.EqualTo("from the first"));
    }

    [Test]
    public async Task A_log_ends_when_its_operation_is_cancelled()
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker);
        using var _ = call;
        using var stdout = Follow(metadata.StdoutStreamName);
        await SayAsync(worker, lease, 0, "so far");
        Assert.That(await ReadAsync(stdout, 6), Is.EqualTo("so far"));

        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = call.ResponseStream.Current.Name }, cancellationToken: Soon);
        Time.Advance(TimeSpan.FromSeconds(1));

        Assert.That(await ReadToEndAsync(stdout), Is.Empty);
    }

    [Test] // REAPI E15, T5
    public async Task The_first_update_that_says_EXECUTING_names_both_streams()
    {
        using var worker = await JoinAsync();
        var action = await StoreActionAsync();
        using var call = Execution.Execute(new ExecuteRequest { ActionDigest = action.ToWire() }, cancellationToken: Soon);
        await worker.StartAsync(await worker.ReceiveLeaseAsync());
        ExecuteOperationMetadata metadata;
        do
        {
            Assert.That(await call.ResponseStream.MoveNext(Soon), "the stream has ended");
            metadata = call.ResponseStream.Current.Metadata.Unpack<ExecuteOperationMetadata>();
        }
        while (metadata.Stage != Value.Executing);

        Assert.That((metadata.StdoutStreamName, metadata.StderrStreamName), Is.Not.EqualTo(("", "")));
        using var waiting = Execution.WaitExecution(new WaitExecutionRequest { Name = call.ResponseStream.Current.Name }, cancellationToken: Soon);
        await waiting.ResponseStream.MoveNext(Soon);
        var first = waiting.ResponseStream.Current.Metadata.Unpack<ExecuteOperationMetadata>();
        Assert.That((first.StdoutStreamName, first.StderrStreamName), Is.EqualTo((metadata.StdoutStreamName, metadata.StderrStreamName)));
    }

    [TestCase("timeout")] // REAPI T4, T5
    [TestCase("cancellation")]
    [TestCase("kill")]
    [TestCase("loss of its worker")]
    public async Task Output_so_far_is_there_to_be_read_after_a(string end)
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker);
        using var _ = call;
        string name = call.ResponseStream.Current.Name;
        await SayAsync(worker, lease, 0, "so far");
        await SayAsync(worker, lease, 0, "oh", LeaseOutput.Types.Stream.Stderr);

        switch (end)
        {
            case "timeout":
                await worker.FinishAsync(
                    lease, new RpcStatus { Code = (int)StatusCode.DeadlineExceeded, Message = "ran out of time" }, Blame.Action, new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("so far") });
                break;
            case "cancellation":
                await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, cancellationToken: Soon);
                Time.Advance(TimeSpan.FromSeconds(1));
                break;
            case "kill":
                await worker.FinishAsync(lease, new ActionResult { ExitCode = 137, StdoutRaw = ByteString.CopyFromUtf8("so far") });
                break;
            default:
                Time.Advance(Scheduler.Options.WorkerSilenceMax);
                await LostAsync(call);
                Time.Advance(TimeSpan.FromSeconds(1));
                break;
        }

        Assert.That((await ReadToEndAsync(Follow(metadata.StdoutStreamName)), await ReadToEndAsync(Follow(metadata.StderrStreamName))), Is.EqualTo(("so far", "oh")));
        if (end is "loss of its worker") return;

        Operation? last = call.ResponseStream.Current;
        while (await call.ResponseStream.MoveNext(Soon)) last = call.ResponseStream.Current;
        Assert.That(last.Metadata.Unpack<ExecuteOperationMetadata>().StdoutStreamName, Is.EqualTo(metadata.StdoutStreamName), "who comes late finds it by the last update");
        if (end is "timeout" or "kill") Assert.That(last.Response.Unpack<ExecuteResponse>().Result.StdoutDigest, Is.EqualTo(DigestOf("so far").ToWire()));
    }

    /// <summary>The execution is back in the queue.</summary>
    private async Task LostAsync(AsyncServerStreamingCall<Operation> call)
    {
        do Assert.That(await call.ResponseStream.MoveNext(Soon), "the stream has ended");
        while (call.ResponseStream.Current.Metadata.Unpack<ExecuteOperationMetadata>().Stage != Value.Queued);
    }

    [Test]
    public async Task Who_waits_for_more_is_told_that_the_coordinator_leaves()
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker);
        using var _ = call;
        using var stdout = Follow(metadata.StdoutStreamName);
        await SayAsync(worker, lease, 0, "so far");
        await ReadAsync(stdout, 6);

        Services.LiveLogs!.Close();

        Assert.That(await CodeOf(() => ReadToEndAsync(stdout)), Is.EqualTo(StatusCode.Unavailable));
    }

    [TestCase(UnknownLog)]
    [TestCase("a/b/" + UnknownLog)]
    [TestCase("logstreams/x")]
    [TestCase("logstreams/")]
    [TestCase("logstreams/00000000000000000000000000000001.1.stdin")]
    [TestCase("logstreams/00000000000000000000000000000001.01.stdout")]
    [TestCase("blobs/" + UnknownLog)]
    public async Task A_log_that_is_not_here_is_NOT_FOUND(string name) =>
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(name))), Is.EqualTo(StatusCode.NotFound));

    [Test]
    public async Task A_log_belongs_to_its_instance()
    {
        using var worker = await JoinAsync();
        var (call, _, metadata) = await RunAsync(worker, "mine");
        call.Dispose();
        string other = metadata.StdoutStreamName.Replace("mine/", "yours/", StringComparison.Ordinal);

        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(other))), Is.EqualTo(StatusCode.NotFound));
    }

    [Test] // REAPI BR7, S5
    public async Task Nobody_but_a_worker_writes_a_log()
    {
        Assert.That(await CodeOf(() => ReadToEndAsync(Follow(UnknownLog + "/token"))), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(async () =>
        {
            using var write = Bytes.Write(cancellationToken: Soon);
            await write.RequestStream.WriteAsync(new WriteRequest { ResourceName = UnknownLog, Data = ByteString.CopyFromUtf8("x") }, Soon);
            await write;
        }), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(
            await CodeOf(async () => await Bytes.QueryWriteStatusAsync(new QueryWriteStatusRequest { ResourceName = UnknownLog }, cancellationToken: Soon)),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test]
    public async Task What_is_no_output_is_refused_and_touches_neither_the_worker_nor_its_action()
    {
        using var worker = await JoinAsync();
        var (call, lease, metadata) = await RunAsync(worker);
        using var _ = call;

        Assert.That(await CodeOf(() => SayAsync(worker, lease, 0, "x", (LeaseOutput.Types.Stream)3)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await CodeOf(() => worker.ShowAsync(new LeaseOutput())), Is.EqualTo(StatusCode.InvalidArgument));

        await SayAsync(worker, lease, 0, "fine");
        await worker.FinishAsync(lease, new ActionResult());
        Assert.That(await ReadToEndAsync(Follow(metadata.StdoutStreamName)), Is.EqualTo("fine"));
    }
}
