using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using LeaseId = RemoteExec.Protocol.V1.LeaseId;

namespace RemoteExec.Services.Tests;

internal sealed class WorkerPoolTests : ServicesFixture
{
    private async Task<AsyncServerStreamingCall<Operation>> ExecuteAsync(string salt = "")
    {
        var action = await StoreActionAsync(action => action.Salt = ByteString.CopyFromUtf8(salt));
        return Execution.Execute(new ExecuteRequest { ActionDigest = action.ToWire() }, cancellationToken: Soon);
    }

    private async Task<ExecuteResponse> ResponseAsync(AsyncServerStreamingCall<Operation> call)
    {
        Operation? last = null;
        while (await call.ResponseStream.MoveNext(Soon)) last = call.ResponseStream.Current;
        return last!.Response.Unpack<ExecuteResponse>();
    }

    private static WorkerMessage Hello(Action<Hello>? change = null)
    {
        var hello = new Hello { WorkerId = "w1", Slots = 1 };
        change?.Invoke(hello);
        return new WorkerMessage { Hello = hello };
    }

    private async Task<StatusCode> EndOf(params WorkerMessage[] messages)
    {
        using var call = WorkerPool.Join(cancellationToken: Soon);
        foreach (var message in messages) await call.RequestStream.WriteAsync(message, Soon);
        return await CodeOf(async () =>
        {
            while (await call.ResponseStream.MoveNext(Soon)) { }
        });
    }

    private static Build.Bazel.Remote.Execution.V2.Platform.Types.Property Property(string name, string value) => new() { Name = name, Value = value };

    private static IEnumerable<TestCaseData> BadHellos()
    {
        TestCaseData Case(string name, Action<Hello> change) => new TestCaseData(change).SetArgDisplayNames(name);
        yield return Case("no id", hello => hello.WorkerId = "");
        yield return Case("control character", hello => hello.WorkerId = "a\nb");
        yield return Case("an id that reads backwards", hello => hello.WorkerId = "a\u202eb");
        yield return Case("an id of megabytes", hello => hello.WorkerId = new string('a', 1 << 20));
        yield return Case("a pool with a terminal's code", hello => hello.Pool = "a\u001b[2J");
        yield return Case("a property with a line break in its name", hello => hello.Properties.Add(Property("a\nb", "c")));
        yield return Case("a property with a terminal's code", hello => hello.Properties.Add(Property("a", "\u001b[2J")));
        yield return Case("a property of megabytes", hello => hello.Properties.Add(Property("a", new string('b', 1 << 20))));
        yield return Case("walls without end", hello => hello.Walls.AddRange(Enumerable.Repeat(new Wall { Name = "user" }, 100)));
        yield return Case("no slots", hello => hello.Slots = 0);
        yield return Case("too many slots", hello => hello.Slots = int.MaxValue);
        yield return Case("nameless property", hello => hello.Properties.Add(new Build.Bazel.Remote.Execution.V2.Platform.Types.Property()));
        yield return Case("nothing that waits", hello => hello.Waiting.Add(new LeaseId { ExecutionId = "x", Attempt = 1 }));
        yield return Case("more leases than hands", hello => hello.Running.AddRange(
            Enumerable.Range(1, (4 * RemoteExec.Core.Pools.SlotsMax) + 1).Select(attempt => new LeaseId { ExecutionId = new string('1', 32), Attempt = attempt })));
        yield return Case("no lease", hello => hello.Running.Add(new LeaseId { ExecutionId = "x", Attempt = 1 }));
    }

    [TestCaseSource(nameof(BadHellos))]
    public async Task A_bad_hello_is_INVALID_ARGUMENT_and_nobody_joins(Action<Hello> change)
    {
        Assert.That(await EndOf(Hello(change)), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(Scheduler.Snapshot().Workers, Is.Empty);
    }

    [Test]
    public async Task Whatever_breaks_the_protocol_ends_the_stream()
    {
        Assert.That(await EndOf(new WorkerMessage { Heartbeat = new Heartbeat() }), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await EndOf(new WorkerMessage()), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await EndOf(Hello(), Hello()), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await EndOf(Hello(), new WorkerMessage()), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(await EndOf(Hello(), new WorkerMessage { LeaseStopped = new LeaseStopped() }), Is.EqualTo(StatusCode.InvalidArgument));
        Assert.That(
            await EndOf(Hello(), new WorkerMessage { LeaseStarted = new LeaseStarted { Lease = new LeaseId { ExecutionId = "ff", Attempt = 0 } } }),
            Is.EqualTo(StatusCode.InvalidArgument));
    }

    [Test] // REAPI E19, X16: outputs first, announcement second
    public async Task A_result_whose_outputs_are_not_stored_is_tried_again_elsewhere()
    {
        using var call = await ExecuteAsync();
        using var liar = await JoinAsync("liar");
        var lease = await liar.ReceiveLeaseAsync();
        var result = new ActionResult { OutputFiles = { new OutputFile { Path = "a", Digest = DigestOf("never stored").ToWire() } } };
        using var honest = await JoinAsync("honest");

        await liar.FinishAsync(lease, result);
        await WaitOutLostAttemptAsync();

        var second = await honest.ReceiveLeaseAsync();
        Assert.That(second.Lease_.Attempt, Is.EqualTo(2));
        Assert.That(Scheduler.Snapshot().Workers.Single(worker => worker.Description.Id == "liar").State, Is.EqualTo(Scheduling.WorkerState.Quarantined));
        await StoreAsync("never stored");
        await honest.FinishAsync(second, result);

        var response = await ResponseAsync(call);
        Assert.That(response.Result.OutputFiles, Is.EqualTo(result.OutputFiles));
        Assert.That(response.Message, Does.Contain("attempt 2"));
    }

    [Test] // two live processes under one name
    public async Task A_stranger_under_the_name_of_a_live_worker_is_refused_and_takes_nothing_from_it()
    {
        using var call = await ExecuteAsync();
        using var first = new ScriptedWorker(WorkerPool, Soon);
        await first.GreetAsync("w1", hello => hello.Home = "here");
        var lease = await first.ReceiveLeaseAsync();
        await first.StartAsync(lease);

        using var second = WorkerPool.Join(cancellationToken: Soon);
        await second.RequestStream.WriteAsync(Hello(hello => hello.Home = "there"), Soon);
        var refused = Assert.ThrowsAsync<RpcException>(async () => await second.ResponseStream.MoveNext(Soon));

        Assert.That(refused!.StatusCode, Is.EqualTo(StatusCode.AlreadyExists));
        Assert.That(refused.Status.Detail, Does.Contain("w1").And.Contains("--worker-id"));
        await first.FinishAsync(lease, new ActionResult());
        var response = await ResponseAsync(call);
        Assert.That(response.Status.Code, Is.Zero);
        Assert.That(response.Message, Does.Not.Contain("attempt 2"));
    }

    [Test] // REAPI E2, T4: what the worker found out goes to the client as it is
    public async Task A_status_of_the_worker_travels_in_the_response()
    {
        var missing = DigestOf("evicted");
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), RpcErrors.MissingBlobsStatus([missing]), Blame.Client);

        var response = await ResponseAsync(call);

        Assert.That((StatusCode)response.Status.Code, Is.EqualTo(StatusCode.FailedPrecondition));
        Assert.That(MissingSubjects(response.Status), Is.EqualTo(new[] { $"MISSING blobs/{missing}" }));
    }

    [Test] // REAPI T4, 1.14
    public async Task A_timeout_keeps_its_partial_output()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        await worker.FinishAsync(
            await worker.ReceiveLeaseAsync(),
            new RpcStatus { Code = (int)StatusCode.DeadlineExceeded, Message = "ran out of time" }, Blame.Action,
            new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("so far") });

        var response = await ResponseAsync(call);

        Assert.That((StatusCode)response.Status.Code, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(response.Result.StdoutDigest, Is.EqualTo(DigestOf("so far").ToWire()));
    }

    [Test] // worker.proto, Blame
    public async Task A_worker_that_blames_itself_causes_another_attempt()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var first = await worker.ReceiveLeaseAsync();
        await worker.FailAsync(first, StatusCode.Internal, "disk gone");
        await WaitOutLostAttemptAsync();
        var second = await worker.ReceiveLeaseAsync();

        Assert.That((second.Lease_.ExecutionId, second.Lease_.Attempt), Is.EqualTo((first.Lease_.ExecutionId, 2)));
        await worker.FinishAsync(second, new ActionResult());
        Assert.That((await ResponseAsync(call)).Status.Code, Is.Zero);
    }

    [Test] // DESIGN D6
    public async Task A_report_about_an_older_attempt_changes_nothing_and_is_acknowledged()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        await worker.FailAsync(lease, StatusCode.Unavailable, "disk full");
        await WaitOutLostAttemptAsync();
        var second = await worker.ReceiveLeaseAsync();

        Assert.That((await worker.FinishAsync(lease, new ActionResult { ExitCode = 1 })).Stale);
        await worker.FinishAsync(second, new ActionResult { ExitCode = 2 });

        Assert.That((await ResponseAsync(call)).Result.ExitCode, Is.EqualTo(2));
    }

    [Test]
    public async Task Cancelling_reaches_the_worker()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = Scheduler.List().Single().Name });

        var message = await worker.ReceiveAsync();

        Assert.That(message.CancelLease.Lease, Is.EqualTo(lease.Lease_));
    }

    [Test]
    public async Task A_drained_worker_finishes_and_is_let_go()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        await worker.SendAsync(new WorkerMessage { DrainRequested = new DrainRequested() });
        await worker.FinishAsync(lease, new ActionResult());

        await worker.ReceiveEndAsync();

        Assert.That((await ResponseAsync(call)).Status.Code, Is.Zero);
    }

    [Test] // the conversation knows no carrier
    public async Task A_worker_that_reconnects_reports_what_it_ran_before()
    {
        using var call = await ExecuteAsync();
        var first = await JoinAsync();
        var lease = await first.ReceiveLeaseAsync();
        first.Dispose();

        using var again = new ScriptedWorker(WorkerPool, Soon);
        await again.GreetAsync("w1", hello => hello.Running.Add(lease.Lease_));
        await again.FinishAsync(lease, new ActionResult { ExitCode = 5 });

        Assert.That((await ResponseAsync(call)).Result.ExitCode, Is.EqualTo(5));
    }

    [Test]
    public async Task A_heartbeat_names_what_runs()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        var heartbeat = new Heartbeat();
        heartbeat.Held.Add(lease.Lease_);
        await worker.SendAsync(new WorkerMessage { Heartbeat = heartbeat });
        await worker.FinishAsync(lease, new ActionResult());

        Assert.That((await ResponseAsync(call)).Status.Code, Is.Zero);
    }

    [Test]
    public async Task A_worker_is_told_what_the_coordinator_takes()
    {
        using var worker = new ScriptedWorker(WorkerPool, Soon);
        var welcome = await worker.GreetAsync("w1");

        Assert.That(welcome.HeartbeatInterval.ToTimeSpan(), Is.EqualTo(Scheduler.Options.HeartbeatInterval));
        Assert.That(Limits.FromWire(welcome.Limits), Is.EqualTo(Options.Limits with { ReconnectWaitMax = Scheduler.Options.ReconnectBackoffMax }));
        Assert.That(Scheduler.Options.RejoinGrace, Is.GreaterThan(Scheduler.Options.ReconnectBackoffMax), "or a worker may miss it");
    }

    [Test]
    public async Task A_leaving_worker_gives_back_what_it_has_not_finished_and_is_let_go()
    {
        using var call = await ExecuteAsync();
        using var leaving = await JoinAsync("leaving");
        var lease = await leaving.ReceiveLeaseAsync();
        await leaving.SendAsync(new WorkerMessage { DrainRequested = new DrainRequested() });
        await leaving.SendAsync(new WorkerMessage { LeaseReturned = new LeaseReturned { Lease = lease.Lease_ } });
        await leaving.ReceiveEndAsync();

        using var next = await JoinAsync("next");
        var again = await next.ReceiveLeaseAsync();
        await next.FinishAsync(again, new ActionResult { ExitCode = 4 });

        Assert.That(again.Lease_.ExecutionId, Is.EqualTo(lease.Lease_.ExecutionId));
        Assert.That((await ResponseAsync(call)).Result.ExitCode, Is.EqualTo(4));
    }

    [Test]
    public async Task A_worker_that_comes_back_draining_gets_nothing_new()
    {
        using var first = await ExecuteAsync("1");
        using (var before = await JoinAsync())
        {
            var lease = await before.ReceiveLeaseAsync();
            before.Dispose();

            using var draining = new ScriptedWorker(WorkerPool, Soon);
            await draining.GreetAsync("w1", hello =>
            {
                hello.Draining = true;
                hello.Running.Add(lease.Lease_);
            });
            using var second = await ExecuteAsync("2");
            await second.ResponseStream.MoveNext(Soon); // it is queued
            await draining.FinishAsync(lease, new ActionResult());

            await draining.ReceiveEndAsync(); // and no lease before it
        }
    }

    [Test]
    public async Task A_report_may_come_while_its_worker_is_away_and_again_when_it_is_back()
    {
        using var call = await ExecuteAsync();
        var worker = await JoinAsync();
        var lease = await worker.ReceiveLeaseAsync();
        worker.Dispose();

        Assert.That((await worker.FinishAsync(lease, new ActionResult { ExitCode = 6 })).Stale, Is.False);
        using var again = new ScriptedWorker(WorkerPool, Soon);
        await again.GreetAsync("w1", hello => hello.Unreported.Add(lease.Lease_));
        Assert.That((await again.FinishAsync(lease, new ActionResult { ExitCode = 7 })).Stale);

        Assert.That((await ResponseAsync(call)).Result.ExitCode, Is.EqualTo(6));
    }

    [Test] // DESIGN D6
    public async Task A_report_of_somebody_else_changes_nothing()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync("holder");
        using var other = await JoinAsync("other");
        var lease = await worker.ReceiveLeaseAsync();

        Assert.That((await other.FinishAsync(lease, new ActionResult { ExitCode = 1 })).Stale);
        await worker.FinishAsync(lease, new ActionResult { ExitCode = 2 });

        Assert.That((await ResponseAsync(call)).Result.ExitCode, Is.EqualTo(2));
    }

    [Test]
    public async Task A_stale_report_is_answered_unread()
    {
        using var worker = await JoinAsync();
        var nobodys = new RemoteExec.Protocol.V1.Lease { Lease_ = new LeaseId { ExecutionId = new string('1', 32), Attempt = 1 } };

        var response = await worker.ReportAsync(nobodys, report => report.ResultDigest = new Build.Bazel.Remote.Execution.V2.Digest { Hash = "nonsense" });

        Assert.That(response.Stale);
    }

    [Test]
    public async Task A_report_that_names_no_lease_is_INVALID_ARGUMENT() =>
        Assert.That(await CodeOf(async () => await WorkerPool.ReportAsync(new ReportRequest(), cancellationToken: Soon)), Is.EqualTo(StatusCode.InvalidArgument));

    [Test] // a Directory that the coordinator does not read, from a command that made too many files
    public async Task A_result_beyond_the_limits_ends_its_action_and_the_worker_goes_on()
    {
        using var first = await ExecuteAsync("1");
        using var worker = await JoinAsync();
        var root = new Build.Bazel.Remote.Execution.V2.Digest { Hash = DigestOf("root").Hash, SizeBytes = 1L << 30 };
        var directory = new OutputDirectory { Path = "out", RootDirectoryDigest = root, TreeDigest = (await StoreAsync(new Tree { Root = new() })).ToWire() };
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult { OutputDirectories = { directory } });

        Assert.That((StatusCode)(await ResponseAsync(first)).Status.Code, Is.EqualTo(StatusCode.ResourceExhausted), "not tried again");

        using var second = await ExecuteAsync("2");
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), new ActionResult { ExitCode = 9 });
        Assert.That((await ResponseAsync(second)).Result.ExitCode, Is.EqualTo(9));
    }

    [Test]
    public async Task A_result_of_a_hundred_thousand_outputs_is_taken()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var digest = (await StoreAsync("each of them")).ToWire();
        var result = new ActionResult();
        for (int i = 0; i < 100_000; i++)
            result.OutputFiles.Add(new OutputFile { Path = $"{i:D8}{new string('p', 92)}", Digest = digest });
        Assert.That(result.CalculateSize(), Is.GreaterThan(16 << 20), "more than a message ever took");

        var stored = await StoreAsync(result);
        await worker.ReportAsync(await worker.ReceiveLeaseAsync(), report => report.ResultDigest = stored.ToWire());

        Assert.That((await ResponseAsync(call)).Result.OutputFiles, Has.Count.EqualTo(100_000));
    }
}
