using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Google.Protobuf;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
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

    private static IEnumerable<TestCaseData> BadHellos()
    {
        TestCaseData Case(string name, Action<Hello> change) => new TestCaseData(change).SetArgDisplayNames(name);
        yield return Case("no id", hello => hello.WorkerId = "");
        yield return Case("control character", hello => hello.WorkerId = "a\nb");
        yield return Case("no slots", hello => hello.Slots = 0);
        yield return Case("too many slots", hello => hello.Slots = int.MaxValue);
        yield return Case("nameless property", hello => hello.Properties.Add(new Build.Bazel.Remote.Execution.V2.Platform.Types.Property()));
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
        Assert.That(await EndOf(Hello(), new WorkerMessage { LeaseFinished = new LeaseFinished() }), Is.EqualTo(StatusCode.InvalidArgument));
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

        await liar.SendAsync(new WorkerMessage { LeaseFinished = new LeaseFinished { Lease = lease.Lease_, Status = new RpcStatus(), Result = result } });
        await WaitOutLostAttemptAsync();

        var offers = new[] { liar, honest }.Select(async worker => (worker, lease: await NextLeaseAsync(worker))).ToArray();
        var (winner, second) = await await Task.WhenAny(offers);
        Assert.That(second.Lease_.Attempt, Is.EqualTo(2));
        await StoreAsync("never stored");
        await winner.SendAsync(new WorkerMessage { LeaseFinished = new LeaseFinished { Lease = second.Lease_, Status = new RpcStatus(), Result = result } });

        var response = await ResponseAsync(call);
        Assert.That(response.Result.OutputFiles, Is.EqualTo(result.OutputFiles));
        Assert.That(response.Message, Does.Contain("attempt 2"));

        static async Task<RemoteExec.Protocol.V1.Lease> NextLeaseAsync(ScriptedWorker worker)
        {
            while (true)
            {
                var message = await worker.ReceiveAsync();
                if (message.MessageCase == CoordinatorMessage.MessageOneofCase.Lease) return message.Lease;
            }
        }
    }

    [Test] // REAPI E2, T4: what the worker found out goes to the client as it is
    public async Task A_status_of_the_worker_travels_in_the_response()
    {
        var missing = DigestOf("evicted");
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        await worker.FinishAsync(await worker.ReceiveLeaseAsync(), RpcErrors.MissingBlobsStatus([missing]), result: null);

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
            new RpcStatus { Code = (int)StatusCode.DeadlineExceeded, Message = "ran out of time" },
            new ActionResult { StdoutRaw = ByteString.CopyFromUtf8("so far") });

        var response = await ResponseAsync(call);

        Assert.That((StatusCode)response.Status.Code, Is.EqualTo(StatusCode.DeadlineExceeded));
        Assert.That(response.Result.StdoutRaw.ToStringUtf8(), Is.EqualTo("so far"));
    }

    [Test] // worker.proto: UNAVAILABLE and INTERNAL blame the worker
    public async Task A_worker_that_blames_itself_causes_another_attempt()
    {
        using var call = await ExecuteAsync();
        using var worker = await JoinAsync();
        var first = await worker.ReceiveLeaseAsync();
        await worker.FinishAsync(first, new RpcStatus { Code = (int)StatusCode.Internal, Message = "disk gone" }, result: null);
        await WaitOutLostAttemptAsync();
        var second = worker.Later.TryDequeue(out var queued) ? queued.Lease : await worker.ReceiveLeaseAsync();

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
        await worker.FinishAsync(lease, new RpcStatus { Code = (int)StatusCode.Unavailable }, result: null);
        await WaitOutLostAttemptAsync();
        var second = worker.Later.TryDequeue(out var queued) ? queued.Lease : await worker.ReceiveLeaseAsync();

        await worker.FinishAsync(lease, new ActionResult { ExitCode = 1 });
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

        using var again = new ScriptedWorker(WorkerPool.Join(cancellationToken: Soon), Soon);
        await again.SendAsync(Hello(hello => hello.Running.Add(lease.Lease_)));
        Assert.That((await again.ReceiveAsync()).MessageCase, Is.EqualTo(CoordinatorMessage.MessageOneofCase.Welcome));
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
        heartbeat.Running.Add(lease.Lease_);
        await worker.SendAsync(new WorkerMessage { Heartbeat = heartbeat });
        await worker.FinishAsync(lease, new ActionResult());

        Assert.That((await ResponseAsync(call)).Status.Code, Is.Zero);
    }
}
