using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

/// <summary>What a worker says of its leases, and that nothing that happens to one happens to another.</summary>
public sealed class WorkerLoopTests : WorkerLoopFixture
{
    [Test]
    public async Task A_lease_is_started_reported_and_forgotten_once_that_is_answered()
    {
        var (stream, hello) = await Coordinator.WelcomeAsync();
        Assert.That(hello.Running, Is.Empty);

        await RunAsync(stream, "e");
        Finish("e");
        var report = await Coordinator.TakeReportAsync();
        Assert.That(report.Lease, Is.EqualTo(Id("e")));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_running_lease_survives_a_reconnect_and_is_reported_after_it()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");

        stream.Complete(Failure());
        var (next, hello) = await Coordinator.WelcomeAsync();
        Assert.That((hello.Running, hello.Unreported.Count), Is.EqualTo((new[] { Id("e") }, 0)));

        Finish("e");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e")));
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_report_is_sent_again_until_it_is_answered_and_hello_says_that_it_is_owed()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e");

        for (int i = 0; i < 3; i++)
        {
            var report = await Coordinator.NextReportAsync();
            stream.Complete(Failure());
            (stream, var hello) = await Coordinator.WelcomeAsync();
            Assert.That((hello.Unreported, hello.Running.Count), Is.EqualTo((new[] { Id("e") }, 0)));
            report.Fail(Failure());
        }

        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e")));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_report_that_fails_in_a_way_that_nobody_thought_of_is_sent_again()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e");
        (await Coordinator.NextReportAsync()).Fail(new UnheardOfException());

        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e")));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_message_that_cannot_be_handled_in_a_way_that_nobody_thought_of_touches_nothing_else()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "before");
        await stream.WriteAsync(new CoordinatorMessage { Lease = new Lease() }); // of nothing
        await stream.WriteAsync(new CoordinatorMessage { CancelLease = new CancelLease() });
        await RunAsync(stream, "after");

        foreach (string execution in (string[])["before", "after"])
        {
            Finish(execution);
            Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id(execution)));
        }

        await LeaveAsync(stream);
    }

    [TestCase(StatusCode.InvalidArgument)]
    [TestCase(StatusCode.ResourceExhausted)]
    public async Task A_report_that_is_refused_for_good_is_the_failure_of_its_own_attempt(StatusCode code)
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e", new ReportRequest { Status = new RpcStatus(), InlineResult = new() });
        (await Coordinator.NextReportAsync()).Fail(Failure(code));

        var report = await Coordinator.TakeReportAsync();

        Assert.That((report.Lease, report.Blame, report.ResultCase), Is.EqualTo((Id("e"), Blame.Worker, ReportRequest.ResultOneofCase.None)));
        Assert.That((StatusCode)report.Status.Code, Is.EqualTo(StatusCode.Internal));
        await LeaveAsync(stream);
    }

    [TestCase(StatusCode.Internal)]
    [TestCase(StatusCode.Unknown)]
    [TestCase(StatusCode.Unimplemented, Description = "a proxy's, whose coordinator is away")]
    public async Task A_report_over_which_the_coordinator_fails_again_and_again_is_the_failure_of_its_own_attempt(StatusCode code)
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e", new ReportRequest { Status = new RpcStatus(), InlineResult = new() });
        for (int i = 0; i < 5; i++)
        {
            var asked = await Coordinator.NextReportAsync();
            Assert.That(asked.Request.ResultCase, Is.EqualTo(ReportRequest.ResultOneofCase.InlineResult), "it may pass");
            asked.Fail(Failure(code));
        }

        var report = await Coordinator.TakeReportAsync();

        Assert.That((report.Lease, report.Blame, report.ResultCase), Is.EqualTo((Id("e"), Blame.Worker, ReportRequest.ResultOneofCase.None)));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_report_that_nobody_answers_holds_up_no_other()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "slow");
        Finish("slow");
        var slow = await Coordinator.NextReportAsync();

        await RunAsync(stream, "next");
        Finish("next");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("next")));

        slow.Answer();
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_cancelled_lease_is_not_reported_and_is_confirmed_when_it_is_dead()
    {
        Dying = new TaskCompletionSource();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "gone");
        await stream.CancelAsync(Id("gone"));

        // It takes its time; the worker goes on meanwhile.
        await RunAsync(stream, "next");
        Finish("next");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("next")));

        Dying.SetResult();
        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("gone")));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_cancelled_lease_is_confirmed_while_what_it_left_waits_to_be_cleaned_up()
    {
        Left = new SlowRemains();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "gone");
        await stream.CancelAsync(Id("gone"));

        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("gone")));
        await Left.Begun.Task;
        Left.End.SetResult();
        await LeaveAsync(stream);
    }

    [Test]
    public async Task Cancelling_what_is_not_here_is_confirmed_at_once()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await stream.CancelAsync(Id("unknown"));

        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("unknown")));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_report_that_is_owed_and_no_longer_wanted_is_dropped()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e");
        var report = await Coordinator.NextReportAsync();
        await stream.CancelAsync(Id("e"));

        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("e")));
        Assert.That(report.Response.IsCompleted, Is.False, "nobody had to answer");
        stream.Complete(Failure());
        var (next, hello) = await Coordinator.WelcomeAsync();
        Assert.That(hello.Unreported, Is.Empty);
        await LeaveAsync(next);
    }

    [Test]
    public async Task Cancelling_an_older_attempt_changes_nothing_about_this_one()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("e", 2));
        await stream.NextAsync();
        await stream.CancelAsync(Id("e", 1));
        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("e", 1)));

        Finish("e");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e", 2)));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_lease_sent_twice_runs_once()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        await stream.LeaseAsync(Id("e"));
        await RunAsync(stream, "next"); // so the one before was heard
        Finish("e");
        Finish("next");

        var reports = new[] { await Coordinator.TakeReportAsync(), await Coordinator.TakeReportAsync() };
        Assert.That(reports.Select(report => report.Lease), Is.EquivalentTo(new[] { Id("e"), Id("next") }));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_crash_of_the_runner_is_reported_as_internal_and_blames_the_worker()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Crash("e", new UnheardOfException());

        var report = await Coordinator.TakeReportAsync();
        Assert.That(((StatusCode)report.Status.Code, report.Blame), Is.EqualTo((StatusCode.Internal, Blame.Worker)));
        Assert.That(report.Status.Message, Does.Contain("unheard of"));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_drain_lets_running_leases_finish()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");

        await Drain.CancelAsync();
        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));
        Finish("e");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e")));
        stream.Complete();
        await Running;
    }

    [Test]
    public async Task A_drain_gives_back_what_has_not_started_and_what_comes_too_late()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Slots = new TaskCompletionSource();
        await stream.LeaseAsync(Id("ahead of its turn"));
        await stream.CancelAsync(Id("unknown"));
        Assert.That((await stream.NextAsync()).LeaseStopped, Is.Not.Null, "so the one before was heard");

        await Drain.CancelAsync();
        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("ahead of its turn")));
        Slots = null; // there would be one now
        await stream.LeaseAsync(Id("on its way"));
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("on its way")));

        Finish("e");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e")), "what runs may finish");
        stream.Complete();
        await Running;
    }

    [Test]
    public async Task A_worker_that_holds_only_what_it_has_given_back_is_let_go()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        Slots = new TaskCompletionSource();
        await stream.LeaseAsync(Id("e"));
        await Drain.CancelAsync();
        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("e")));

        stream.Complete();
        await Running;
        Assert.That(Coordinator.HasNextStream, Is.False, "it has said goodbye");
    }

    [Test]
    public async Task A_report_beyond_what_the_coordinator_takes_is_the_failure_of_its_own_attempt_and_is_not_sent()
    {
        Coordinator.Limits = Limits.Default with { ReportBytesMax = 1000 };
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "large");
        Finish("large", new ReportRequest { Status = new RpcStatus { Message = new string('m', 1000) } });

        var report = await Coordinator.TakeReportAsync();

        Assert.That((report.Lease, (StatusCode)report.Status.Code, report.Blame), Is.EqualTo((Id("large"), StatusCode.Internal, Blame.Worker)));
        Assert.That(report.Status.Message, Does.Contain("1000 are possible"));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_worker_offers_no_more_slots_than_its_coordinator_takes()
    {
        Coordinator.Limits = Limits.Default with { SlotsMax = 1 };
        var (stream, before) = await Coordinator.WelcomeAsync();
        stream.Complete(Failure());
        var (next, after) = await Coordinator.WelcomeAsync();

        Assert.That((before.Slots, after.Slots), Is.EqualTo((2, 1)));
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_worker_leaves_only_when_what_its_attempts_left_is_cleaned_up()
    {
        Left = new SlowRemains();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e");
        await Coordinator.TakeReportAsync();
        await Left.Begun.Task;
        await Drain.CancelAsync();
        await stream.NextAsync();
        var leaving = LeaveAsync();
        stream.Complete();
        Assert.That(await stream.MoveNext(CancellationToken.None), Is.False, "the connection is still open");
        // Every chance to leave too early; a worker that waits is not hurried by it.
        for (int i = 0; i < 1000 && !leaving.IsCompleted; i++) await Task.Yield();
        Left.End.SetResult();
        Assert.That(await leaving, Is.True, "it left while a work directory was given back");

        async Task<bool> LeaveAsync()
        {
            await Running;
            return Left.End.Task.IsCompleted;
        }
    }

    [Test]
    public async Task What_cannot_be_cleaned_up_is_no_failure_of_its_lease()
    {
        Left = new SlowRemains();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        Finish("e");
        await Left.Begun.Task;
        Left.End.SetException(new UnheardOfException());

        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("e")));
        await LeaveAsync(stream);
    }

    [Test]
    public async Task A_draining_worker_says_so_in_its_hello_and_asks_the_next_stream_too()
    {
        var (stream, first) = await Coordinator.WelcomeAsync();
        Assert.That(first.Draining, Is.False);
        await RunAsync(stream, "e");
        await Drain.CancelAsync();
        await stream.NextAsync();
        stream.Complete(Failure());

        var (next, hello) = await Coordinator.WelcomeAsync();
        Assert.That((hello.Draining, hello.Running), Is.EqualTo((true, new[] { Id("e") })));
        Assert.That((await next.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));
        Finish("e");
        await Coordinator.TakeReportAsync();
        next.Complete();
        await Running;
    }

    [Test]
    public async Task A_worker_that_is_to_hurry_gives_back_what_it_would_have_finished()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        await Drain.CancelAsync();
        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));

        await Hurry.CancelAsync();

        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("e")));
        stream.Complete();
        await Running;
    }

    [Test]
    public async Task A_coordinator_that_leaves_while_the_worker_drains_is_no_goodbye()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "e");
        await Drain.CancelAsync();
        await stream.NextAsync();
        stream.Complete();

        var (next, hello) = await Coordinator.WelcomeAsync();
        Assert.That(hello.Running, Is.EqualTo([Id("e")]), "what runs is for its next life");
        Finish("e");
        await Coordinator.TakeReportAsync();
        next.Complete();
        await Running;
    }

    [Test]
    public async Task An_orderly_end_without_a_drain_means_reconnect()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        stream.Complete();
        var (next, _) = await Coordinator.WelcomeAsync();
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_refusal_for_good_ends_the_worker()
    {
        var stream = await Coordinator.NextStreamAsync();
        stream.Complete(Failure(StatusCode.InvalidArgument));

        Assert.That(async () => await Running, Throws.InstanceOf<RpcException>());
    }

    [Test]
    public async Task A_worker_whose_name_is_taken_asks_again_until_it_is_free()
    {
        for (int i = 0; i < 3; i++) (await Coordinator.NextStreamAsync()).Complete(Failure(StatusCode.AlreadyExists));

        var (stream, _) = await Coordinator.WelcomeAsync();
        await LeaveAsync(stream);
    }

    [TestCase(StatusCode.InvalidArgument)]
    [TestCase(StatusCode.Unimplemented)]
    public async Task A_worker_that_was_once_welcome_outlives_whatever_answers_for_a_coordinator_that_restarts(StatusCode code)
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        stream.Complete();
        (await Coordinator.NextStreamAsync()).Complete(Failure(code));

        var (next, _) = await Coordinator.WelcomeAsync();
        await LeaveAsync(next);
    }

    [Test]
    public async Task A_connection_that_breaks_in_a_way_that_nobody_thought_of_is_followed_by_another()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        stream.Complete(new UnheardOfException());

        var (next, _) = await Coordinator.WelcomeAsync();
        await LeaveAsync(next);
    }

    [Test]
    public void No_wait_between_two_attempts_is_longer_than_the_coordinator_says()
    {
        var longest = TimeSpan.FromSeconds(3);
        var backoff = new ReconnectBackoff(new Random(1)); // seed 1

        var waits = Enumerable.Range(0, 1000).Select(_ => backoff.Next(longest)).ToList();

        Assert.That(waits, Is.All.InRange(TimeSpan.FromMilliseconds(25), longest));
        Assert.That(waits.Max(), Is.GreaterThan(longest * 0.9), "and it does become that long");
    }
}
