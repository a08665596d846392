using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Workers that are cut off, come back, owe reports, are told to stop, want to leave.</summary>
[TestFixture]
internal sealed class WorkerReturnTests : QueueFixture
{
    [Test]
    public void A_draining_worker_that_reconnects_gets_nothing_new()
    {
        var running = Submit(Build.Request(1));
        long session = Join(Build.Worker(slots: 2));
        var lease = Offered().Single().Id;
        Queue.Drain("w1", session, Now);
        Queue.Disconnected("w1", session, Now);
        var waiting = Submit(Build.Request(2));
        Join(Build.Worker(slots: 2) with { Running = [lease], IsDraining = true });

        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Draining));
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued));
        Queue.Report("w1", lease, Build.Ok(), Now);
        Assert.That(Told()[^1], Is.InstanceOf<WorkerCommand.End>());
        Assert.That(running.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [Test]
    public void A_stranger_under_the_name_of_a_worker_takes_neither_its_stream_nor_its_leases()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker() with { Home = "here" });
        var lease = Offered().Single().Id;
        Queue.Started("w1", session, lease, waited: TimeSpan.Zero, Now);
        AssertRefused("connected already");

        // Cut off, it is waited for.
        Queue.Disconnected("w1", session, Now);
        AssertRefused("expected back already");
        Advance(Options.RejoinGrace / 2);
        AssertRefused("expected back already");

        Join(Build.Worker() with { Home = "here", Running = [lease] });
        Assert.That(Queue.Report("w1", lease, Build.Ok(), Now), Is.EqualTo(ReportVerdict.Accepted));
        Assert.That((operation.Execution.Attempt, operation.Execution.State), Is.EqualTo((1, ExecutionState.Completed)));

        void AssertRefused(string words)
        {
            var refused = Assert.Throws<SchedulingException>(() => Join(Build.Worker() with { Home = "there" }))!;
            Assert.That(refused.Code, Is.EqualTo(OutcomeCode.AlreadyExists));
            Assert.That(refused.Message, Does.Contain(words).And.Contains("--worker-id"));
            Assert.That(Told(), Is.Empty, "the worker hears nothing of it");
        }
    }

    [Test]
    public void A_name_is_free_again_when_its_worker_is_gone()
    {
        Submit(Build.Request());
        long session = Join(Build.Worker() with { Home = "here" });
        Queue.Disconnected("w1", session, Now);
        Advance(Options.RejoinGrace);

        Assert.That(() => Join(Build.Worker() with { Home = "there" }), Throws.Nothing);
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Ready));
    }

    [Test]
    public void Who_was_started_in_the_place_of_a_worker_takes_over_at_once_whatever_the_old_connection_looks_like()
    {
        var operation = Submit(Build.Request());
        Join(Build.Worker() with { Home = "here" });
        Told();

        Join(Build.Worker() with { Home = "here" });

        Assert.That(Told()[0], Is.InstanceOf<WorkerCommand.End>(), "the old connection");
        Assert.That((operation.Execution.State, operation.Execution.Losses), Is.EqualTo((ExecutionState.Queued, 1)), "what ran there died with it");
    }

    [Test]
    public void A_draining_worker_that_holds_nothing_is_let_go_with_its_hello()
    {
        Join(Build.Worker() with { IsDraining = true });

        Assert.That(Told().Single(), Is.InstanceOf<WorkerCommand.End>());
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Gone));
    }

    [Test]
    public void A_lease_whose_report_is_owed_is_neither_lost_nor_cancelled()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        var lease = Offered().Single().Id;
        Queue.Disconnected("w1", session, Now);
        Join(Build.Worker() with { Unreported = [lease] });

        Assert.That(Told(), Is.Empty);
        Assert.That(operation.Execution.LeaseId, Is.EqualTo(lease));
        Assert.That(Queue.Report("w1", lease, Build.Ok(), Now), Is.EqualTo(ReportVerdict.Accepted));
    }

    [Test]
    public void A_draining_worker_is_not_let_go_before_its_last_report()
    {
        Submit(Build.Request());
        long session = Join(Build.Worker());
        var lease = Offered().Single().Id;
        Queue.Disconnected("w1", session, Now);
        Join(Build.Worker() with { Unreported = [lease], IsDraining = true });
        Assert.That(Told(), Is.Empty);

        Queue.Report("w1", lease, Build.Ok(), Now);
        Assert.That(Told().Single(), Is.InstanceOf<WorkerCommand.End>());
    }

    [Test]
    public void A_report_comes_before_its_worker_is_back()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        var lease = Offered().Single().Id;
        Queue.Disconnected("w1", session, Now);

        Assert.That(Queue.Report("w1", lease, Build.Ok(), Now), Is.EqualTo(ReportVerdict.Accepted));
        Assert.That(Queue.Report("w1", lease, Build.Ok(), Now), Is.EqualTo(ReportVerdict.Stale));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [Test]
    public void A_report_without_a_stream_is_a_sign_of_life()
    {
        var first = Submit(Build.Request(1));
        var second = Submit(Build.Request(2));
        long session = Join(Build.Worker(slots: 2));
        Queue.Disconnected("w1", session, Now);
        Advance(Options.RejoinGrace - TimeSpan.FromSeconds(1));
        Queue.Report("w1", first.Execution.LeaseId, Build.Ok(), Now);
        Advance(Options.RejoinGrace - TimeSpan.FromSeconds(1));
        Assert.That(second.Execution.State, Is.EqualTo(ExecutionState.Leased));

        Advance(TimeSpan.FromSeconds(1));
        Assert.That(second.Execution.State, Is.EqualTo(ExecutionState.Queued));
    }

    [Test]
    public void A_worker_in_the_longest_of_its_waits_is_back_in_time()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        var lease = Offered().Single().Id;
        Queue.Disconnected("w1", session, Now);
        // A wait that has just begun, and an attempt that takes as long.
        Advance(Options.ReconnectBackoffMax * 2);
        Join(Build.Worker() with { Running = [lease] });

        Assert.That(operation.Execution.LeaseId, Is.EqualTo(lease));
    }

    [Test]
    public void A_confirmed_kill_frees_its_slot_at_once()
    {
        var running = Submit(Build.Request(1));
        long session = Join(Build.Worker());
        var lease = Offered().Single().Id;
        Queue.Cancel(running.Name, Now);
        var waiting = Submit(Build.Request(2));
        Queue.Stopped("w1", session, new LeaseId(lease.Execution, 9), Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued));

        Queue.Stopped("w1", session, lease, Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void Nobody_stops_an_attempt_that_is_current()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        Queue.Stopped("w1", session, operation.Execution.LeaseId, Now);

        Assert.That(Queue.FindLease(operation.Execution.LeaseId), Is.Not.Null);
    }

    [Test]
    public void A_worker_that_does_not_confirm_a_kill_gets_no_more_work_until_it_does()
    {
        var running = Submit(Build.Request(1));
        long session = Join(Build.Worker(slots: 2));
        var lease = Offered().Single().Id;
        Queue.Cancel(running.Name, Now);
        Beat(session, Options.KillConfirmMax - TimeSpan.FromSeconds(1), lease);
        Assert.That(Submit(Build.Request(2)).Execution.State, Is.EqualTo(ExecutionState.Leased), "there is time yet");
        var named = new[] { lease, Offered().Single().Id };

        Beat(session, TimeSpan.FromSeconds(1), named);
        Queue.Report("w1", named[1], Build.Ok(), Now);
        var waiting = Submit(Build.Request(3));
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued));
        Assert.That(Queue.Snapshot(Now).Workers.Single().IsStuck);

        Queue.Stopped("w1", session, lease, Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void A_reconnect_confirms_no_kill()
    {
        var running = Submit(Build.Request(1));
        long session = Join(Build.Worker(slots: 2));
        var lease = Offered().Single().Id;
        Queue.Cancel(running.Name, Now);
        Beat(session, Options.KillConfirmMax, lease);
        Join(Build.Worker(slots: 2) with { Running = [lease] });
        Assert.That(((WorkerCommand.CancelLease)Told()[^1]).Lease, Is.EqualTo(lease), "told again");
        var waiting = Submit(Build.Request(2));
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued));

        Join(Build.Worker(slots: 2));
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Leased), "it does not name it any more");
    }

    [Test]
    public void A_stray_that_a_worker_goes_on_running_keeps_it_from_work()
    {
        var stranger = new LeaseId(new ExecutionId(77), 3);
        long session = Join(Build.Worker());
        Queue.Heartbeat("w1", session, [stranger], Now);
        Assert.That(((WorkerCommand.CancelLease)Told().Single()).Lease, Is.EqualTo(stranger));
        Beat(session, Options.KillConfirmMax, stranger);
        var waiting = Submit(Build.Request());
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Queued));

        Queue.Heartbeat("w1", session, [], Now);
        Assert.That(waiting.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    /// <summary>Time passes, and the worker says what it holds.</summary>
    private void Beat(long session, TimeSpan duration, params LeaseId[] held)
    {
        var end = Now.Monotonic + duration;
        while (Now.Monotonic < end)
        {
            var rest = end - Now.Monotonic;
            Advance(rest < Options.HeartbeatInterval ? rest : Options.HeartbeatInterval);
            Queue.Heartbeat("w1", session, held, Now);
        }
    }
}
