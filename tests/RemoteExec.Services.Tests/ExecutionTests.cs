using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

internal sealed class ExecutionTests : ServicesFixture
{
    private AsyncServerStreamingCall<Operation> Execute(Digest action, Action<ExecuteRequest>? change = null, Metadata? headers = null)
    {
        var request = new ExecuteRequest { ActionDigest = action.ToWire() };
        change?.Invoke(request);
        return Execution.Execute(request, headers, cancellationToken: Soon);
    }

    private async Task<Operation> NextAsync(AsyncServerStreamingCall<Operation> call)
    {
        Assert.That(await call.ResponseStream.MoveNext(Soon), "the stream has ended");
        return call.ResponseStream.Current;
    }

    private async Task<Operation> LastAsync(AsyncServerStreamingCall<Operation> call)
    {
        Operation? last = null;
        while (await call.ResponseStream.MoveNext(Soon)) last = call.ResponseStream.Current;
        return last ?? throw new AssertionException("the stream was empty");
    }

    private static Value StageOf(Operation operation) => operation.Metadata.Unpack<ExecuteOperationMetadata>().Stage;

    private static ExecuteResponse ResponseOf(Operation operation) => operation.Response.Unpack<ExecuteResponse>();

    private Task<RpcException> RefusalOf(Digest action) => FailureOf(async () => await NextAsync(Execute(action)));

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
            await worker.FinishAsync(await worker.ReceiveLeaseAsync(), status, result);
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

    [Test] // REAPI E1, E2: one answer for everything that is missing
    public async Task All_missing_blobs_are_named_at_once()
    {
        Digest absentFile = DigestOf("file"), deepFile = DigestOf("deep");
        var absentChild = new WireDirectory { Files = { new FileNode { Name = "x", Digest = absentFile.ToWire() } } };
        var presentChild = new WireDirectory { Files = { new FileNode { Name = "y", Digest = deepFile.ToWire() } } };
        var root = new WireDirectory
        {
            Files = { new FileNode { Name = "f", Digest = absentFile.ToWire() } },
            Directories =
            {
                new DirectoryNode { Name = "a", Digest = DigestOf(absentChild).ToWire() },
                new DirectoryNode { Name = "b", Digest = (await StoreAsync(presentChild)).ToWire() },
            },
        };
        var command = new WireCommand { Arguments = { "true" } };
        var action = await StoreAsync(new WireAction { CommandDigest = DigestOf(command).ToWire(), InputRootDigest = (await StoreAsync(root)).ToWire() });

        var refusal = await RefusalOf(action);

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(
            MissingSubjects(refusal),
            Is.EquivalentTo(new[] { DigestOf(command), DigestOf(absentChild), absentFile, deepFile }.Select(digest => $"MISSING blobs/{digest}")));
    }

    [Test] // REAPI E2
    public async Task An_absent_action_is_named_missing()
    {
        var absent = DigestOf("no action");

        Assert.That(MissingSubjects(await RefusalOf(absent)), Is.EqualTo(new[] { $"MISSING blobs/{absent}" }));
    }

    [Test] // REAPI E2: Java clients refuse headers above 8 KiB, so a long list travels in a message
    public async Task A_thousand_missing_blobs_are_all_named_in_the_response()
    {
        var root = new WireDirectory();
        for (int i = 0; i < 1000; i++) root.Files.Add(new FileNode { Name = $"f{i:0000}", Digest = DigestOf($"absent {i}").ToWire() });
        var rootDigest = await StoreAsync(root);
        using var call = Execute(await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire()));

        var done = await NextAsync(call);

        Assert.That(done.Done);
        Assert.That((StatusCode)ResponseOf(done).Status.Code, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(MissingSubjects(ResponseOf(done).Status), Has.Count.EqualTo(1000));
    }

    [TestCase(1)]
    [TestCase(40)]
    [TestCase(65)]
    [TestCase(70)]
    [TestCase(500)]
    [TestCase(5_000)]
    [TestCase(50_000)] // all of them would be a message of 4,300,403 bytes: refused by its client, which can then never upload
    public async Task F01_however_many_inputs_are_missing_a_client_of_usual_limits_can_bring_them_all(int count)
    {
        var contents = Enumerable.Range(0, count).Select(number => $"input {number}").ToDictionary(DigestOf);
        var root = new WireDirectory();
        foreach (var (digest, number) in contents.Keys.Select((digest, number) => (digest, number)))
            root.Files.Add(new FileNode { Name = $"f{number:00000}", Digest = digest.ToWire() });
        var rootDigest = await StoreAsync(root);
        var action = await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire());

        for (int round = 1; ; round++)
        {
            using var call = Execute(action);
            var named = await NamedMissingAsync(call);
            if (named is null) break;

            Assert.That(named, Is.Not.Empty.And.Unique);
            Assert.That(named.Select(subject => subject["MISSING blobs/".Length..]), Is.SubsetOf(contents.Keys.Select(digest => digest.ToString())));
            foreach (var (digest, content) in contents.Where(input => named.Contains($"MISSING blobs/{input.Key}")).ToList())
            {
                await StoreAsync(content);
                contents.Remove(digest);
            }

            Assert.That(round, Is.LessThanOrEqualTo(2), "each answer costs the client a round of uploads");
        }

        Assert.That(contents, Is.Empty);
    }

    /// <summary>Null when the action was queued. A usual client takes 8,192 bytes of trailers and messages of 4 MiB.</summary>
    private async Task<IReadOnlyList<string>?> NamedMissingAsync(AsyncServerStreamingCall<Operation> call)
    {
        try
        {
            var operation = await NextAsync(call);
            Assert.That(operation.CalculateSize(), Is.LessThanOrEqualTo(4 << 20));
            return operation.Done ? MissingSubjects(ResponseOf(operation).Status) : null;
        }
        catch (RpcException refusal)
        {
            Assert.That(SizeOf(refusal), Is.LessThanOrEqualTo(8192));
            return MissingSubjects(refusal);
        }
    }

    [Test] // the second look at a tree must not overlook what went missing in the first
    public async Task After_the_upload_the_same_action_is_queued()
    {
        var root = new WireDirectory { Files = { new FileNode { Name = "f", Digest = DigestOf("late").ToWire() } } };
        var rootDigest = await StoreAsync(root);
        var action = await StoreActionAsync(action => action.InputRootDigest = rootDigest.ToWire());
        Assert.That((await RefusalOf(action)).StatusCode, Is.EqualTo(StatusCode.FailedPrecondition));

        await StoreAsync("late");
        using var call = Execute(action);

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }

    private static IEnumerable<TestCaseData> BadActions()
    {
        TestCaseData Case(string name, Action<WireAction> change) => new TestCaseData(change).SetArgDisplayNames(name);
        yield return Case("no command", action => action.CommandDigest = null);
        yield return Case("no input root", action => action.InputRootDigest = null);
        yield return Case("mixed functions", action => action.InputRootDigest = Digest.Empty(DigestFunction.Md5).ToWire());
        yield return Case("negative timeout", action => action.Timeout = new Duration { Seconds = -1 });
        yield return Case("timeout above the maximum", action => action.Timeout = new Duration { Seconds = 86_401 });
        yield return Case("timeout that is no duration", action => action.Timeout = new Duration { Seconds = long.MaxValue });
        yield return Case("timeout with too many nanoseconds", action => action.Timeout = new Duration { Nanos = int.MaxValue });
        yield return Case("platform property without a name", action => action.Platform = new Build.Bazel.Remote.Execution.V2.Platform
        {
            Properties = { new Build.Bazel.Remote.Execution.V2.Platform.Types.Property { Value = "x" } },
        });
    }

    [TestCaseSource(nameof(BadActions))] // REAPI E3, X1, D5
    public async Task A_bad_action_is_INVALID_ARGUMENT_and_not_queued(Action<WireAction> change)
    {
        Assert.That((await RefusalOf(await StoreActionAsync(change))).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    private static IEnumerable<TestCaseData> BadCommands()
    {
        TestCaseData Case(string name, Action<WireCommand> change) => new TestCaseData(change).SetArgDisplayNames(name);
        yield return Case("no arguments", command => command.Arguments.Clear());
        yield return Case("absolute output", command => command.OutputPaths.Add("/etc/passwd"));
        yield return Case("climbing output", command => command.OutputPaths.Add("../x"));
        yield return Case("absent working directory", command => command.WorkingDirectory = "nowhere");
        yield return Case("climbing working directory", command => command.WorkingDirectory = "..");
        yield return Case("unknown node property", command => command.OutputNodeProperties.Add("colour"));
    }

    [TestCaseSource(nameof(BadCommands))] // REAPI E3, X2, X4, X13
    public async Task A_bad_command_is_INVALID_ARGUMENT_and_not_queued(Action<WireCommand> change)
    {
        Assert.That((await RefusalOf(await StoreActionAsync(changeCommand: change))).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    private static IEnumerable<TestCaseData> BadDirectories()
    {
        var digest = DigestOf("").ToWire();
        TestCaseData Case(string name, WireDirectory directory) => new TestCaseData(directory).SetArgDisplayNames(name);
        yield return Case("unsorted", new WireDirectory { Files = { new FileNode { Name = "b", Digest = digest }, new FileNode { Name = "a", Digest = digest } } });
        yield return Case("slash in a name", new WireDirectory { Files = { new FileNode { Name = "a/b", Digest = digest } } });
        yield return Case("dots", new WireDirectory { Directories = { new DirectoryNode { Name = "..", Digest = digest } } });
        yield return Case("absolute link", new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "/etc" } } });
        yield return Case("child without digest", new WireDirectory { Directories = { new DirectoryNode { Name = "d" } } });
    }

    [TestCaseSource(nameof(BadDirectories))] // REAPI E3, X12, TRUST 4.1
    public async Task A_bad_input_tree_is_INVALID_ARGUMENT_and_not_queued(WireDirectory directory)
    {
        var root = await StoreAsync(directory);

        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    [Test] // TRUST 4.1
    public async Task A_blob_that_is_no_action_is_INVALID_ARGUMENT()
    {
        Assert.That((await RefusalOf(await StoreAsync("\u0003 no protobuf"))).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        var huge = Digest.FromHash(DigestFunction.Sha256, new byte[32], 1L << 30);
        Assert.That((await RefusalOf(huge)).StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI G3, X14
    public async Task Unknown_fields_of_a_newer_client_are_no_error()
    {
        var action = new WireAction { CommandDigest = (await StoreAsync(new WireCommand { Arguments = { "true" } })).ToWire(), InputRootDigest = Digest.Empty(DigestFunction.Sha256).ToWire() };
        byte[] withUnknown = [.. action.ToByteArray(), 0xA2, 0x06, 0x01, 0x07]; // field 100, one byte
        var digest = await Storage.BlobStoreExtensions.WriteAllAsync(Store, DigestFunction.Sha256, withUnknown, Soon);
        using var call = Execute(digest);

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }

    [Test] // REAPI X15
    public async Task The_commands_platform_counts_when_the_action_has_none()
    {
#pragma warning disable CS0612 // Old clients fill only this one.
        var action = await StoreActionAsync(changeCommand: command => command.Platform = new Build.Bazel.Remote.Execution.V2.Platform
        {
            Properties = { new Build.Bazel.Remote.Execution.V2.Platform.Types.Property { Name = "OSFamily", Value = "linux" } },
        });
#pragma warning restore CS0612
        using var call = Execute(action);
        await NextAsync(call);

        Assert.That(Scheduler.List().Single().Request.Platform.ToString(), Is.EqualTo("OSFamily=linux"));
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
        Assert.That(worker.Later, Is.Empty);
    }

    [Test] // REAPI E16
    public async Task A_silent_stream_beats()
    {
        using var call = Execute(await StoreActionAsync());
        var first = await NextAsync(call);
        var beat = call.ResponseStream.MoveNext(Soon);
        while (!beat.IsCompleted)
        {
            Time.Advance(Options.BeatInterval);
            await Task.Yield();
        }

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

    [Test] // TRUST 4.1, H7: 2^40 paths with 40 nodes
    public async Task A_tree_of_too_many_paths_is_RESOURCE_EXHAUSTED()
    {
        var directory = new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "t" } } };
        for (int i = 0; i < 40; i++)
        {
            var child = (await StoreAsync(directory)).ToWire();
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = child }, new DirectoryNode { Name = "b", Digest = child } } };
        }

        var root = await StoreAsync(directory);

        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test] // TRUST 4.1, H7
    public async Task A_tree_that_is_too_deep_is_RESOURCE_EXHAUSTED()
    {
        await RestartAsync(new ServicesOptions { Limits = new Limits { Tree = new TreeLimits { DepthMax = 10 } } });
        var directory = new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "t" } } };
        var roots = new List<Digest>();
        for (int i = 0; i < 11; i++)
        {
            roots.Add(await StoreAsync(directory));
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = roots[^1].ToWire() } } };
        }

        using var call = Execute(await StoreActionAsync(action => action.InputRootDigest = roots[9].ToWire()));
        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = roots[10].ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test] // a file system counts bytes: these paths have 1,461 characters and 4,351 bytes
    public async Task A_tree_with_a_path_that_no_worker_can_make_is_INVALID_ARGUMENT_and_not_queued()
    {
        string name = new('字', 85);
        var directory = new WireDirectory();
        for (int i = 0; i < 17; i++)
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = name, Digest = (await StoreAsync(directory)).ToWire() } } };
        var root = await StoreAsync(directory);

        var refusal = await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()));

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(refusal.Status.Detail, Does.Contain("a path of more than 3500 cannot be made"));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    [Test]
    public async Task An_output_whose_path_no_worker_can_make_is_INVALID_ARGUMENT_and_not_queued()
    {
        string path = string.Join('/', Enumerable.Repeat(new string('字', 85), 14));

        var refusal = await RefusalOf(await StoreActionAsync(changeCommand: command => command.OutputPaths.Add(path)));

        Assert.That(refusal.StatusCode, Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.List(), Is.Empty);
    }

    [Test] // a client that would be refused anyhow uploads nothing first
    public async Task A_tree_beyond_the_limits_is_refused_before_its_missing_files_are_asked_for()
    {
        var directory = new WireDirectory { Files = { new FileNode { Name = "absent", Digest = DigestOf("absent").ToWire() } } };
        for (int i = 0; i < 40; i++)
        {
            var child = (await StoreAsync(directory)).ToWire();
            directory = new WireDirectory { Directories = { new DirectoryNode { Name = "a", Digest = child }, new DirectoryNode { Name = "b", Digest = child } } };
        }

        var root = await StoreAsync(directory);

        Assert.That(
            (await RefusalOf(await StoreActionAsync(action => action.InputRootDigest = root.ToWire()))).StatusCode,
            Is.EqualTo(StatusCode.ResourceExhausted));
    }

    [Test] // REAPI X4
    public async Task A_working_directory_in_the_tree_is_accepted()
    {
        var child = await StoreAsync(new WireDirectory { Symlinks = { new SymlinkNode { Name = "l", Target = "t" } } });
        var root = await StoreAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "sub", Digest = child.ToWire() } } });
        using var call = Execute(await StoreActionAsync(
            action => action.InputRootDigest = root.ToWire(),
            command => { command.WorkingDirectory = "sub"; command.OutputPaths.Add("../beside"); }));

        Assert.That(StageOf(await NextAsync(call)), Is.EqualTo(Value.Queued));
    }
}
