using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

internal sealed class ExecutionTests : ExecutionFixture
{
    [Test] // REAPI E13, E14, E15, E6
    public async Task The_stream_tells_each_stage_and_ends_when_done()
    {
        var action = await StoreActionAsync();
        using var call = Execute(action);

        var queued = await NextAsync(call);
        Assert.That(queued.Name, Does.StartWith("operations/"));
        Assert.That(StageOf(queued), Is.EqualTo(Value.Queued));
        Assert.That(queued.Metadata.Unpack<ExecuteOperationMetadata>().ActionDigest, Is.EqualTo(action.ToWire()));
        Assert.That(queued.Metadata.Unpack<ExecuteOperationMetadata>().DigestFunction, Is.EqualTo(WireDigestFunction.Sha256));

        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        await worker.StartAsync(lease);
        Operation operation;
        do operation = await NextAsync(call); while (StageOf(operation) == Value.Queued);
        Assert.That(StageOf(operation), Is.EqualTo(Value.Executing));

        await worker.FinishAsync(lease, new ActionResult { ExitCode = 7 });
        var done = await LastAsync(call);
        Assert.That((done.Done, done.Name, StageOf(done)), Is.EqualTo((true, queued.Name, Value.Completed)));
        Assert.That(done.ResultCase, Is.EqualTo(Operation.ResultOneofCase.Response));
        Assert.That(ResponseOf(done).Result.ExitCode, Is.EqualTo(7));
        Assert.That(ResponseOf(done).Status.Code, Is.Zero);
    }

    [Test] // REAPI T1, T3
    public async Task The_result_has_all_nine_timestamps_and_the_message_tells_the_story()
    {
        await RestartAsync(new ServicesOptions { WebAddress = new Uri("http://127.0.0.1:8981/") });
        using var call = Execute(await StoreActionAsync());
        var queuedAt = Time.GetUtcNow();
        await NextAsync(call);
        Time.Advance(TimeSpan.FromSeconds(3));
        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();

        await worker.FinishAsync(lease, new ActionResult { ExecutionMetadata = ScriptedWorker.Times(queuedAt) });
        var response = ResponseOf(await LastAsync(call));

        var times = response.Result.ExecutionMetadata;
        Assert.That(times, Is.EqualTo(ScriptedWorker.Times(queuedAt)));
        Assert.That(lease.QueuedTimestamp, Is.EqualTo(Timestamp.FromDateTimeOffset(queuedAt)));
        Assert.That(response.Message, Is.EqualTo(
            $"ran on w1 after 3.000 s in the queue - http://127.0.0.1:8981/action/{lease.Lease_.ExecutionId}"));
    }

    [Test] // REAPI E10, A7
    public async Task A_success_is_served_from_the_cache_the_next_time()
    {
        var action = await StoreActionAsync();
        using var worker = await JoinAsync();
        using (var first = Execute(action))
        {
            await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("out") });
            Assert.That(ResponseOf(await LastAsync(first)).CachedResult, Is.False);
        }

        using var second = Execute(action, request => request.InlineStdout = true);
        var hit = await NextAsync(second);

        Assert.That((hit.Done, StageOf(hit), ResponseOf(hit).CachedResult), Is.EqualTo((true, Value.Completed, true)));
        Assert.That(ResponseOf(hit).Result.StdoutRaw.ToStringUtf8(), Is.EqualTo("out"));
        Assert.That(hit.Name, Is.Not.Empty);
        Assert.That(await second.ResponseStream.MoveNext(Soon), Is.False);
    }

    [TestCase(0)]
    [TestCase(3)]
    public async Task Output_is_inlined_for_whoever_asks_and_has_a_digest_for_everybody(int exitCode)
    {
        var file = await StoreAsync("made");
        var action = await StoreActionAsync();
        using var worker = await JoinAsync();
        using var silent = Execute(action);
        await NextAsync(silent);
        using var asking = Execute(action, request =>
        {
            (request.InlineStdout, request.InlineStderr) = (true, true);
            request.InlineOutputFiles.Add("f");
        });
        await NextAsync(asking);
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult
        {
            ExitCode = exitCode,
            StdoutRaw = ByteString.CopyFromUtf8("out"),
            StderrRaw = ByteString.CopyFromUtf8("err"),
            OutputFiles = { new OutputFile { Path = "f", Digest = file.ToWire(), Contents = ByteString.CopyFromUtf8("made") } },
        });

        ActionResult told = ResponseOf(await LastAsync(silent)).Result, asked = ResponseOf(await LastAsync(asking)).Result;

        Assert.That((told.StdoutRaw, told.StderrRaw, told.OutputFiles.Single().Contents), Is.EqualTo((ByteString.Empty, ByteString.Empty, ByteString.Empty)));
        Assert.That((asked.StdoutRaw.ToStringUtf8(), asked.StderrRaw.ToStringUtf8(), asked.OutputFiles.Single().Contents.ToStringUtf8()), Is.EqualTo(("out", "err", "made")));
        foreach (var result in new[] { told, asked })
            Assert.That((result.StdoutDigest, result.StderrDigest), Is.EqualTo((DigestOf("out").ToWire(), DigestOf("err").ToWire())));
        Assert.That(await IsStoredAsync(DigestOf("out")) && await IsStoredAsync(DigestOf("err")));
    }

    [Test]
    public async Task F23_a_plain_failure_says_nothing_but_where_its_page_is()
    {
        await RestartAsync(Options with { WebAddress = new Uri("http://127.0.0.1:8981") });
        using var call = Execute(await StoreActionAsync());
        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();

        await worker.FinishAsync(lease, new ActionResult { ExitCode = 1 });

        Assert.That(ResponseOf(await LastAsync(call)).Message, Is.EqualTo($"http://127.0.0.1:8981/action/{lease.Lease_.ExecutionId}"));
    }

    [Test] // Buck2 prints a status's message and nothing else
    public async Task F26_the_status_of_what_ran_says_where_its_page_is()
    {
        await RestartAsync(Options with { WebAddress = new Uri("http://127.0.0.1:8981") });
        using var worker = await JoinAsync();
        using var late = Execute(await StoreActionAsync());
        var lease = await worker.ReceiveLeaseAsync();
        await worker.FinishAsync(lease, new RpcStatus { Code = (int)StatusCode.DeadlineExceeded, Message = "too late" }, Blame.Action, new ActionResult());
        Assert.That(ResponseOf(await LastAsync(late)).Status.Message, Is.EqualTo($"too late - http://127.0.0.1:8981/action/{lease.Lease_.ExecutionId}"));

        // Ended by the server itself, without a response of the worker's.
        using var odd = Execute(await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8("odd")));
        string name = (await NextAsync(odd)).Name;
        var again = await worker.ReceiveLeaseAsync();
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = name }, cancellationToken: Soon);
        Assert.That(ResponseOf(await LastAsync(odd)).Status.Message, Does.EndWith($" - http://127.0.0.1:8981/action/{again.Lease_.ExecutionId}"));
    }

    [TestCase("build.bazel.remote.execution.v2.requestmetadata-bin")]
    [TestCase("google.devtools.remoteexecution.v1test.requestmetadata-bin")]
    [TestCase("requestmetadata-bin")]
    public async Task F30_who_asks_is_read_under_every_name_that_clients_send(string header)
    {
        var metadata = new RequestMetadata { ToolDetails = new ToolDetails { ToolName = "pants", ToolVersion = "2.33" }, ToolInvocationId = "i" };
        using var call = Execute(await StoreActionAsync(), headers: new Metadata { { header, metadata.ToByteArray() } });
        await NextAsync(call);

        var origin = Scheduler.List().Single().Request.Origin;

        Assert.That((origin.ToolName, origin.ToolInvocationId), Is.EqualTo(("pants 2.33", "i")));
    }

    [TestCase("recc/1.2 grpc-c++/1.50.1", "recc 1.2")]
    [TestCase("grpc-go/1.60", "grpc-go 1.60")]
    public void F30_without_metadata_the_user_agent_names_the_tool(string agent, string tool) =>
        Assert.That(RequestOrigins.From(new Metadata { { "user-agent", agent } }).ToolName, Is.EqualTo(tool));

    [Test]
    public async Task F03_what_was_left_out_of_account_is_told_with_the_result_and_with_every_hit()
    {
        var platform = new WirePlatform { Properties = { new WirePlatform.Types.Property { Name = "resources:cpu", Value = "0.5" } } };
        var action = await StoreActionAsync(action => action.Platform = platform);
        using var worker = await JoinAsync();
        using var first = Execute(action);
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult());
        Assert.That(IgnoredProperties.NamesIn(ResponseOf(await LastAsync(first)).Result.ExecutionMetadata), Is.EqualTo(["resources:cpu"]));

        using var hit = Execute(action);
        Assert.That(IgnoredProperties.NamesIn(ResponseOf(await NextAsync(hit)).Result.ExecutionMetadata), Is.EqualTo(["resources:cpu"]));
    }

    [TestCase("old")]
    [TestCase("new")]
    public async Task F19_what_an_action_used_is_told_in_a_type_that_every_JSON_printer_knows(string stored)
    {
        var usage = new Usage { MemoryPeakBytes = 5, UserTime = new Duration { Seconds = 2 } };
        var result = new ActionResult { ExecutionMetadata = new ExecutedActionMetadata { Worker = "w", AuxiliaryMetadata = { Any.Pack(usage) } } };
        var action = await StoreActionAsync();
        if (stored == "old")
        {
            await Cache.PutAsync(new RemoteExec.Storage.ActionCacheKey(default, action), result, Soon);
        }
        else
        {
            using var worker = await JoinAsync();
            using var first = Execute(action);
            await worker.FinishAsync(await worker.ReceiveLeaseAsync(), result);
            AssertPublic(ResponseOf(await LastAsync(first)).Result);
        }

        using var hit = Execute(action);
        AssertPublic(ResponseOf(await NextAsync(hit)).Result);
        AssertPublic(await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = action.ToWire() }));

        static void AssertPublic(ActionResult result)
        {
            var foreign = new JsonFormatter(new JsonFormatter.Settings(false, Google.Protobuf.Reflection.TypeRegistry.FromMessages(
                ActionResult.Descriptor, Struct.Descriptor)));
            Assert.That(foreign.Format(result), Does.Contain("\"memoryPeakBytes\": 5").And.Contain("\"userTimeSeconds\": 2"));
        }
    }

    [TestCase(true)] // REAPI T2
    [TestCase(false)] // unless asked for, nothing that a JSON printer which knows only REAPI fails on
    public async Task What_the_kernel_counted_is_told_with_the_result_and_with_every_hit_where_it_is_asked_for(bool isAsked)
    {
        var counted = Any.Pack(new Buildbarn.ResourceUsage.POSIXResourceUsage { PageReclaims = 70, MaximumResidentSetSize = 5 });
        var other = Any.Pack(new Struct());
        Any[] told = isAsked ? [counted, other] : [other];
        await RestartAsync(new ServicesOptions { TellsBuildbarnUsage = isAsked });
        var action = await StoreActionAsync();
        using var worker = await JoinAsync();
        using var first = Execute(action);
        await worker.FinishAsync(
            await worker.ReceiveLeaseAsync(), new ActionResult { ExecutionMetadata = new ExecutedActionMetadata { Worker = "w", AuxiliaryMetadata = { counted, other } } });
        Assert.That(ResponseOf(await LastAsync(first)).Result.ExecutionMetadata.AuxiliaryMetadata, Is.EqualTo(told));

        using var hit = Execute(action);
        Assert.That(ResponseOf(await NextAsync(hit)).Result.ExecutionMetadata.AuxiliaryMetadata, Is.EqualTo(told));
        var cached = await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = action.ToWire() });
        Assert.That(cached.ExecutionMetadata.AuxiliaryMetadata, Is.EqualTo(told));
    }

    [Test] // REAPI A7: a failed command, a status, do_not_cache
    public async Task What_is_no_success_is_not_cached()
    {
        using var worker = await JoinAsync();
        var failing = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8("1"));
        var late = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8("2"));
        var secret = await StoreActionAsync(action => action.DoNotCache = true);

        await RunAsync(failing, new RpcStatus(), new ActionResult { ExitCode = 1 });
        await RunAsync(late, new RpcStatus { Code = (int)StatusCode.DeadlineExceeded }, new ActionResult());
        await RunAsync(secret, new RpcStatus(), new ActionResult());

        foreach (var action in new[] { failing, late, secret })
        {
            Assert.That(
                await CodeOf(async () => await ActionCache.GetActionResultAsync(new GetActionResultRequest { ActionDigest = action.ToWire() })),
                Is.EqualTo(StatusCode.NotFound));
        }

        async Task RunAsync(Digest action, RpcStatus status, ActionResult result)
        {
            using var call = Execute(action);
            await worker.FinishAsync(await worker.ReceiveLeaseAsync(), status, Blame.Action, result);
            await LastAsync(call);
        }
    }

    [Test] // REAPI E7
    public async Task Skipping_the_cache_runs_again_and_overwrites()
    {
        var action = await StoreActionAsync();
        await Cache.PutAsync(new Storage.ActionCacheKey(default, action), new ActionResult { StdoutDigest = (await StoreAsync("old")).ToWire() }, Soon);
        using var worker = await JoinAsync();

        using var call = Execute(action, request => request.SkipCacheLookup = true);
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult { StdoutDigest = (await StoreAsync("new")).ToWire() });
        await LastAsync(call);

        Assert.That((await Cache.GetAsync(new Storage.ActionCacheKey(default, action), Soon))!.StdoutDigest, Is.EqualTo(DigestOf("new").ToWire()));
    }

    [Test] // REAPI X1, E11, G4
    public async Task What_the_client_asked_for_reaches_the_queue_and_the_worker()
    {
        var metadata = new RequestMetadata { ToolDetails = new ToolDetails { ToolName = "bazel\u001b[31m", ToolVersion = "7" }, TargetId = "//a:b", ToolInvocationId = "inv" };
        var headers = new Metadata { { "build.bazel.remote.execution.v2.requestmetadata-bin", metadata.ToByteArray() } };
        using var call = Execute(
            await StoreActionAsync(action => action.Timeout = new Duration { Seconds = 90 }),
            request => request.ExecutionPolicy = new ExecutionPolicy { Priority = -5 },
            headers);
        await NextAsync(call);

        var request = Scheduler.List().Single().Request;
        Assert.That((request.Priority, request.Timeout, request.CommandLine), Is.EqualTo((-5, TimeSpan.FromSeconds(90), "true")));
        Assert.That((request.Origin.ToolName, request.Origin.TargetId), Is.EqualTo(("bazel [31m 7", "//a:b")));

        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        Assert.That(lease.RequestMetadata, Is.EqualTo(metadata));
        Assert.That(lease.Timeout, Is.EqualTo(new Duration { Seconds = 90 }));
    }

    [Test] // "trojan source": a line that turns reads as another in a log and on the page
    public async Task What_clients_call_their_work_reaches_people_as_one_line_that_does_not_turn()
    {
        const string hostile = "//a\u202eb\u2066c\nd\u200be";
        var metadata = new RequestMetadata
        {
            ToolDetails = new ToolDetails { ToolName = hostile },
            TargetId = hostile,
            ActionMnemonic = hostile,
            ToolInvocationId = hostile,
            CorrelatedInvocationsId = hostile,
        };
        var headers = new Metadata { { "build.bazel.remote.execution.v2.requestmetadata-bin", metadata.ToByteArray() } };
        using var call = Execute(await StoreActionAsync(changeCommand: command => command.Arguments.Add(hostile)), headers: headers);
        await NextAsync(call);

        var request = Scheduler.List().Single().Request;
        var origin = request.Origin;
        const string harmless = "//a b c d e";
        Assert.That(
            (string[])[origin.ToolName, origin.TargetId, origin.ActionMnemonic, origin.ToolInvocationId, origin.CorrelatedInvocationsId],
            Is.All.EqualTo(harmless));
        Assert.That(request.CommandLine, Is.EqualTo($"true {harmless}"));
    }

    [Test]
    public async Task A_long_command_line_is_shown_to_its_first_half_kilobyte()
    {
        using var call = Execute(await StoreActionAsync(changeCommand: command => command.Arguments.Add(new string('x', 1000))));
        await NextAsync(call);

        Assert.That(Scheduler.List().Single().Request.CommandLine, Is.EqualTo($"true {new string('x', 507)}…"));
    }

    [Test] // REAPI G4
    public async Task A_malformed_metadata_header_fails_nothing()
    {
        using var call = Execute(
            await StoreActionAsync(), headers: new Metadata { { "build.bazel.remote.execution.v2.requestmetadata-bin", [0xff, 0xff] } });

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }

    [Test] // REAPI E9
    public async Task Two_clients_of_one_action_share_its_run_under_their_own_names()
    {
        var action = await StoreActionAsync();
        using AsyncServerStreamingCall<Operation> one = Execute(action), two = Execute(action);
        string first = (await NextAsync(one)).Name, second = (await NextAsync(two)).Name;
        using var worker = await JoinAsync();

        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult { ExitCode = 3 });

        Assert.That(ResponseOf(await LastAsync(one)).Result.ExitCode, Is.EqualTo(3));
        Assert.That(ResponseOf(await LastAsync(two)).Result.ExitCode, Is.EqualTo(3));
        Assert.That(first, Is.Not.EqualTo(second));
        await worker.SendAsync(new WorkerMessage { DrainRequested = new DrainRequested() });
        await worker.ReceiveEndAsync(); // and no second lease before it
    }

    [Test] // REAPI E16
    public async Task A_silent_stream_beats()
    {
        using var call = Execute(await StoreActionAsync());
        var first = await NextAsync(call);
        var beat = call.ResponseStream.MoveNext(Soon);
        await Time.WaitForTimerAsync(Options.BeatInterval); // the stream waits: who moved time on earlier would end the wait for a worker
        Time.Advance(Options.BeatInterval);

        Assert.That(await beat);
        Assert.That(call.ResponseStream.Current, Is.EqualTo(first));
    }

    [Test] // REAPI E17
    public async Task Waiting_attaches_to_a_running_and_to_a_finished_operation()
    {
        using var call = Execute(await StoreActionAsync());
        string name = (await NextAsync(call)).Name;
        using var wait = Execution.WaitExecution(new WaitExecutionRequest { Name = name });
        Assert.That(StageOf(await NextAsync(wait)), Is.EqualTo(Value.Queued));
        using var worker = await JoinAsync();
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult());
        Assert.That((await LastAsync(wait)).Done);

        using var again = Execution.WaitExecution(new WaitExecutionRequest { Name = name });

        Assert.That((await LastAsync(again)).Done);
    }

    [TestCase("operations/00000000000000000000000000000000")] // REAPI E17
    [TestCase("")]
    [TestCase("no such\nthing")]
    public async Task Waiting_for_an_unknown_operation_is_NOT_FOUND(string name) =>
        Assert.That(await CodeOf(async () => await NextAsync(Execution.WaitExecution(new WaitExecutionRequest { Name = name }))), Is.EqualTo(StatusCode.NotFound));

    [Test] // TRUST 1.2, "Stream ends with OK while not done": Go clients take that for a result without content
    public async Task Streams_that_must_end_without_a_result_end_with_UNAVAILABLE_and_a_delay()
    {
        using var execute = Execute(await StoreActionAsync());
        string name = (await NextAsync(execute)).Name;
        using var wait = Execution.WaitExecution(new WaitExecutionRequest { Name = name });
        await NextAsync(wait);

        Scheduler.EndFeeds();

        foreach (var call in new[] { execute, wait })
        {
            var failure = await FailureOf(() => call.ResponseStream.MoveNext(Soon));
            Assert.That(failure.StatusCode, Is.EqualTo(StatusCode.Unavailable));
            Assert.That(failure.ToStatus().Details.Any(detail => detail.Is(Google.Rpc.RetryInfo.Descriptor))); // REAPI G1
        }
    }

    [Test] // REAPI E5, G1
    public async Task When_streams_have_ended_new_work_is_UNAVAILABLE_with_a_delay()
    {
        var action = await StoreActionAsync();
        Scheduler.EndFeeds();

        var refusal = await RefusalOf(action);

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.Unavailable));
        Assert.That(refusal.ToStatus().Details.Any(detail => detail.Is(Google.Rpc.RetryInfo.Descriptor)));
    }

    [Test] // REAPI K3
    public async Task A_server_that_only_caches_does_not_execute()
    {
        await RestartAsync(new ServicesOptions { ExecutionEnabled = false });

        Assert.That((await RefusalOf(await StoreActionAsync())).StatusCode, Is.EqualTo(StatusCode.PermissionDenied));
    }
}
