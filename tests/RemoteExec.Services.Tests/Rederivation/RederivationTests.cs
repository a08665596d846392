using Build.Bazel.Remote.Execution.V2;
using Google.LongRunning;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using Value = Build.Bazel.Remote.Execution.V2.ExecutionStage.Types.Value;

namespace RemoteExec.Services.Tests;

/// <summary>Inputs that were made here and are gone are made again, and the client that needs them waits a little longer.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
internal sealed class RederivationTests : RederivationFixture
{
    [Test]
    public async Task An_action_whose_lost_input_was_made_here_waits_until_its_producer_has_run_again()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        var first = await NextAsync(call);
        Assert.That((StageOf(first), first.Done), Is.EqualTo((Value.Queued, false)));
        await RunAsync(worker, producer, made);

        await AssertGoesOnAsync(worker, consumer, call);
        await AssertRestoredAsync(consumer, runs: 1);
    }

    [Test]
    public async Task A_chain_is_made_again_from_its_beginning()
    {
        using var worker = await JoinAsync();
        Digest[] made = [await StoreAsync("one"), await StoreAsync("two"), await StoreAsync("three")];
        Digest[] actions = [await StoreActionAsync("1"), await StoreActionAsync("2", ("f", made[0])), await StoreActionAsync("3", ("f", made[1]))];
        for (int i = 0; i < made.Length; i++) await MakeAsync(worker, actions[i], made[i]);
        var consumer = await StoreActionAsync("needs", ("f", made[2]), ("g", made[0]));
        Lossy.Lose(made);

        using var call = Execute(consumer);
        for (int i = 0; i < made.Length; i++) await RunAsync(worker, actions[i], made[i]);

        await AssertGoesOnAsync(worker, consumer, call);
        await AssertRestoredAsync(consumer, runs: 3);
    }

    [Test]
    public async Task Two_requests_that_lack_the_same_input_wait_for_one_run()
    {
        using var worker = await JoinAsync();
        var (made, producer) = (await StoreAsync("made"), await StoreActionAsync("makes"));
        await MakeAsync(worker, producer, made);
        Digest[] consumers = [await StoreActionAsync("one", ("f", made)), await StoreActionAsync("other", ("f", made))];
        Lossy.Lose(made);

        using var one = Execute(consumers[0]);
        await NextAsync(one);
        var lease = await LeaseAsync(worker, producer);
        using var other = Execute(consumers[1]);
        await NextAsync(other);
        await FinishAsync(worker, lease, made);

        // In either order, and nothing but these.
        var end = await StoreAsync("end");
        var leases = new[] { await worker.ReceiveLeaseAsync(), await worker.ReceiveLeaseAsync() };
        Assert.That(leases.Select(next => next.ActionDigest), Is.EquivalentTo(consumers.Select(consumer => consumer.ToWire())));
        foreach (var next in leases) await FinishAsync(worker, next, end);
        await AssertSucceedsAsync(one);
        await AssertSucceedsAsync(other);
    }

    [Test]
    public async Task Below_a_directory_that_is_made_again_more_may_be_missing()
    {
        using var worker = await JoinAsync();
        var file = await StoreAsync("file");
        var directory = await StoreAsync(new WireDirectory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } });
        var (makesDirectory, makesFile) = (await StoreActionAsync("directory"), await StoreActionAsync("file"));
        await MakeAsync(worker, makesDirectory, directory);
        await MakeAsync(worker, makesFile, file);
        var root = await StoreAsync(new WireDirectory { Directories = { new DirectoryNode { Name = "d", Digest = directory.ToWire() } } });
        var consumer = await StoreActionAsync(action => action.InputRootDigest = root.ToWire());
        Lossy.Lose(directory, file);

        using var call = Execute(consumer);
        await RunAsync(worker, makesDirectory, directory);
        await RunAsync(worker, makesFile, file);

        await AssertGoesOnAsync(worker, consumer, call);
        await AssertRestoredAsync(consumer, runs: 2);
    }

    [Test]
    public async Task What_is_inside_of_an_output_directory_and_what_was_written_to_a_log_is_made_again_too()
    {
        using var worker = await JoinAsync();
        var (file, log) = (await StoreAsync("file"), await StoreAsync("log"));
        var tree = await StoreAsync(new Tree { Root = new WireDirectory { Files = { new FileNode { Name = "f", Digest = file.ToWire() } } } });
        var producer = await StoreActionAsync("makes");
        var result = new ActionResult
        {
            OutputDirectories = { new OutputDirectory { Path = "d", TreeDigest = tree.ToWire() } },
            StdoutRaw = Google.Protobuf.ByteString.CopyFromUtf8("log"),
        };
        using (var call = Execute(producer))
        {
            await worker.FinishAsync(await LeaseAsync(worker, producer), result.Clone());
            await AssertSucceedsAsync(call);
        }

        var consumer = await StoreActionAsync("needs", ("f", file), ("log", log));
        Lossy.Lose(file, log);

        using var waiting = Execute(consumer);
        var lease = await LeaseAsync(worker, producer);
        Lossy.Bring(file, log);
        await worker.FinishAsync(lease, result.Clone());
        await AssertGoesOnAsync(worker, consumer, waiting);
    }

    [Test]
    public async Task A_loss_that_the_worker_finds_is_mended_likewise_and_its_attempt_costs_nothing()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAsync(worker);

        using var call = Execute(consumer);
        var lease = await LeaseAsync(worker, consumer);
        Lossy.Lose(made);
        await LackAsync(worker, lease, made);
        await RunAsync(worker, producer, made);
        var again = await LeaseAsync(worker, consumer);
        Assert.That((again.Lease_.ExecutionId, again.Lease_.Attempt), Is.EqualTo((lease.Lease_.ExecutionId, lease.Lease_.Attempt + 1)));
        await FinishAsync(worker, again, await StoreAsync("end"));

        var response = ResponseOf(await LastAsync(call));
        Assert.That((response.Status.Code, response.Message), Is.EqualTo((0, "ran on w1 after 0.000 s in the queue")));
        Assert.That((await ToldAsync()).Outcome, Is.EqualTo(RederivationOutcome.Restored));
    }

    [Test]
    public async Task A_blob_that_is_lost_a_second_time_is_not_made_a_second_time_for_the_same_request()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        await RunAsync(worker, producer, made);
        var lease = await LeaseAsync(worker, consumer);
        Assert.That((await ToldAsync()).Outcome, Is.EqualTo(RederivationOutcome.Restored));
        Lossy.Lose(made);
        await LackAsync(worker, lease, made);

        await AssertLacksAsync(call, made);
        var told = await ToldAsync();
        Assert.That((told.Outcome, told.Reason), Is.EqualTo((RederivationOutcome.Refused, $"{made} was made again, and is gone again")));
    }

    [Test]
    public async Task A_worker_that_lacks_what_is_there_is_asked_once_more_and_lets_nothing_run()
    {
        using var worker = await JoinAsync();
        var (made, _, consumer) = await MakeAsync(worker);

        using var call = Execute(consumer);
        await LackAsync(worker, await LeaseAsync(worker, consumer), made);
        await LackAsync(worker, await LeaseAsync(worker, consumer), made);

        await AssertLacksAsync(call, made);
        Assert.That(IsNothingTold);
    }

    [Test]
    public async Task A_re_run_has_the_priority_and_the_tool_of_the_one_who_waits()
    {
        using var worker = await JoinAsync();
        var (_, producer, consumer) = await MakeAndLoseAsync(worker);
        var headers = new Metadata
        {
            { "build.bazel.remote.execution.v2.requestmetadata-bin", Google.Protobuf.MessageExtensions.ToByteArray(new RequestMetadata { ToolInvocationId = "the build" }) },
        };

        using var call = Execute(consumer, request => request.ExecutionPolicy = new ExecutionPolicy { Priority = -7 }, headers);
        var lease = await LeaseAsync(worker, producer);

        Assert.That((lease.Priority, lease.RequestMetadata.ToolInvocationId), Is.EqualTo((-7, "the build")));
        var run = Scheduler.List().Single(operation => operation.Request.Action == producer && !operation.IsDone);
        Assert.That((run.Request.Priority, run.Request.Origin.ToolInvocationId), Is.EqualTo((-7, "the build")));
    }

    [Test]
    public async Task Inputs_that_somebody_brings_while_a_producer_fails_let_the_action_go_on()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        var lease = await LeaseAsync(worker, producer);
        Lossy.Bring(made);
        await worker.FinishAsync(lease, new ActionResult { ExitCode = 1 });

        await AssertGoesOnAsync(worker, consumer, call);
        Assert.That((await ToldAsync()).Outcome, Is.EqualTo(RederivationOutcome.Failed));
    }

    [Test]
    public async Task Cancelling_what_waits_cancels_the_producer_that_nobody_else_wants()
    {
        using var worker = await JoinAsync();
        var (_, producer, consumer) = await MakeAndLoseAsync(worker);

        var call = Execute(consumer);
        var operation = await NextAsync(call);
        var lease = await LeaseAsync(worker, producer);
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = operation.Name }, cancellationToken: Soon);

        Assert.That((StatusCode)ResponseOf(await LastAsync(call)).Status.Code, Is.EqualTo(StatusCode.Cancelled));
        Assert.That((await worker.ReceiveAsync()).CancelLease?.Lease, Is.EqualTo(lease.Lease_));
        call.Dispose();
    }

    [Test]
    public async Task Cancelling_what_waits_leaves_a_producer_to_those_who_asked_for_it()
    {
        using var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);

        using var call = Execute(consumer);
        var operation = await NextAsync(call);
        var lease = await LeaseAsync(worker, producer);
        using var joined = Execute(producer);
        await NextAsync(joined);
        await Operations.CancelOperationAsync(new CancelOperationRequest { Name = operation.Name }, cancellationToken: Soon);
        await LastAsync(call);
        Lossy.Bring(made);

        Assert.That((await worker.FinishAsync(lease, ResultOf(made))).Stale, Is.False);
        await AssertSucceedsAsync(joined);
    }

    [Test]
    public async Task After_a_restart_what_waited_goes_on_under_its_name()
    {
        var worker = await JoinAsync();
        var (made, producer, consumer) = await MakeAndLoseAsync(worker);
        var call = Execute(consumer);
        string name = (await NextAsync(call)).Name;
        var running = await LeaseAsync(worker, producer);
        // Before its channel goes: that would be its client's wish to cancel.
        await Scheduler.DisposeAsync();
        await RestartAsync(Options);
        call.Dispose();
        worker.Dispose();

        using var waiting = Execution.WaitExecution(new WaitExecutionRequest { Name = name }, cancellationToken: Soon);
        await NextAsync(waiting);
        // It has gone on with what it had, and what waited is given out as if it had all its inputs.
        using var back = new ScriptedWorker(WorkerPool, Soon);
        await back.GreetAsync("w1", hello => hello.Running.Add(running.Lease_));
        await LackAsync(back, await LeaseAsync(back, consumer), made);
        await FinishAsync(back, running, made);
        await RunAsync(back, consumer, await StoreAsync("end"));

        await AssertSucceedsAsync(waiting);
    }
}
