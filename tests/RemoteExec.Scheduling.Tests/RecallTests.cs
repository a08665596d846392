using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>What waits at a worker for one of its slots is still in line. The simulation holds the rule for any order of events.</summary>
[TestFixture]
internal sealed class RecallTests : QueueFixture
{
    private static readonly WorkerDescription Ahead = Build.Worker("w1", slots: 1) with { Prefetch = 2 };

    [Test]
    public void Nobody_is_given_a_lease_ahead_while_another_has_a_free_slot()
    {
        Join(Ahead);
        Join(Build.Worker("w2", slots: 3));
        var operations = Enumerable.Range(1, 5).Select(action => Submit(Build.Request(action))).ToArray();

        Assert.That(operations[..4].Count(operation => operation.Execution.WorkerId == "w2"), Is.EqualTo(3));
        Assert.That((operations[4].Execution.WorkerId, operations[4].Execution.IsAhead), Is.EqualTo(("w1", true)));
    }

    [Test]
    public void What_waits_is_called_back_for_a_worker_that_joins()
    {
        long session = Join(Ahead);
        var (_, waiting) = (Submit(Build.Request(1)), Submit(Build.Request(2)));
        var lease = Offered()[1].Id;
        Join(Build.Worker("w2"));
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(lease)]));

        Queue.HandBack("w1", session, lease, Now);
        Assert.That((waiting.Execution.Holder?.Id, waiting.Execution.Losses), Is.EqualTo(("w2", 0)));
    }

    [Test]
    public void What_waits_is_called_back_for_a_slot_that_becomes_free_the_first_in_line_first()
    {
        Join(Ahead);
        Join(Build.Worker("w2"));
        foreach (int action in new[] { 1, 2, 3, 4 }) Submit(Build.Request(action));
        var leases = Offered();
        var elsewhere = leases.Single(lease => Queue.FindLease(lease.Id)?.WorkerId == "w2");
        Queue.Report("w2", elsewhere.Id, Build.Ok(), Now);

        Assert.That(Told().OfType<WorkerCommand.RecallLease>().Single().Lease, Is.EqualTo(leases.Single(lease => lease.Request.Action == Build.Digest(3)).Id));
    }

    [Test]
    public void A_slot_is_kept_meanwhile_so_that_nobody_overtakes()
    {
        long session = Join(Ahead);
        var (_, waiting) = (Submit(Build.Request(1)), Submit(Build.Request(2)));
        var lease = Offered()[1].Id;
        Join(Build.Worker("w2") with { Prefetch = 1 });
        var late = Submit(Build.Request(3));
        Assert.That(late.Execution.Holder?.Id, Is.Not.EqualTo("w2"));

        Queue.HandBack("w1", session, lease, Now);
        Assert.That(waiting.Execution.Holder?.Id, Is.EqualTo("w2"));
    }

    [Test]
    public void What_has_begun_meanwhile_stays_and_the_slot_is_for_the_next()
    {
        long session = Join(Ahead);
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        var third = Submit(Build.Request(3));
        var leases = Offered().Select(lease => lease.Id).ToArray();
        Queue.Started("w1", session, leases[0], waited: TimeSpan.Zero, Now);
        Join(Build.Worker("w2"));
        Queue.Report("w1", leases[0], Build.Ok(), Now);
        Told();
        Queue.Started("w1", session, leases[1], waited: TimeSpan.Zero, Now);

        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(third.Execution.LeaseId)]));
    }

    [Test]
    public void Who_does_not_answer_keeps_it_and_the_slot_is_kept_no_more()
    {
        Join(Ahead);
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        long session = Join(Build.Worker("w2"));
        KeepAlive(session, Options.RecallAnswerMax, "w2");

        Assert.That(Submit(Build.Request(3)).Execution.Holder?.Id, Is.EqualTo("w2"));
    }

    [Test]
    public void Who_did_not_answer_is_asked_again_when_what_it_was_asked_for_is_dead()
    {
        long session = Join(Build.Worker("w1") with { Prefetch = 2 });
        Submit(Build.Request(1));
        var unwanted = Submit(Build.Request(2));
        var waiting = Submit(Build.Request(3));
        Told();
        long other = Join(Build.Worker("w2"));
        KeepAlive(other, Options.RecallAnswerMax, "w2");
        var lease = unwanted.Execution.LeaseId;
        Queue.Cancel(unwanted.Name, Now);
        Told();
        Queue.Stopped("w1", session, lease, Now);

        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(waiting.Execution.LeaseId)]));
    }

    [Test]
    public void Who_did_not_answer_is_asked_again_when_what_it_was_asked_for_has_ended()
    {
        Join(Build.Worker("w1") with { Prefetch = 2 });
        Submit(Build.Request(1));
        var unwanted = Submit(Build.Request(2));
        var waiting = Submit(Build.Request(3));
        Told();
        long other = Join(Build.Worker("w2"));
        KeepAlive(other, Options.RecallAnswerMax, "w2");
        var lease = unwanted.Execution.LeaseId;
        Queue.Cancel(unwanted.Name, Now);
        Told();
        Queue.Report("w1", lease, Build.Ok(), Now);

        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(waiting.Execution.LeaseId)]));
    }

    [Test]
    public void Who_is_asked_for_the_same_again_after_a_cut_has_the_whole_time_to_answer()
    {
        var half = Options.RecallAnswerMax / 2;
        long session = Join(Ahead);
        var (running, waiting) = (Submit(Build.Request(1)), Submit(Build.Request(2)));
        var lease = waiting.Execution.LeaseId;
        Told();
        long other = Join(Build.Worker("w2"));
        Queue.Disconnected("w1", session, Now);
        // Back with both, when the other has something to do.
        Submit(Build.Request(3));
        var elsewhere = Offered().Single();
        Join(Ahead with { Running = [running.Execution.LeaseId, lease], Waiting = [lease] });
        KeepAlive(other, half, "w2");
        Queue.Report("w2", elsewhere.Id, Build.Ok(), Now);
        Assert.That(Told(), Has.Member(new WorkerCommand.RecallLease(lease)));

        KeepAlive(other, half, "w2");
        Assert.That((waiting.Execution.IsRecalled, waiting.Execution.Holder!.IgnoresRecalls), Is.EqualTo((true, false)));
        KeepAlive(other, half, "w2");
        Assert.That(waiting.Execution.Holder!.IgnoresRecalls, Is.True);
    }

    [Test]
    public void A_worker_that_is_cut_off_keeps_what_waits_there()
    {
        long session = Join(Ahead);
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        Queue.Disconnected("w1", session, Now);
        Told();
        Join(Build.Worker("w2"));

        Assert.That(Told(), Is.Empty);
        Assert.That(Submit(Build.Request(3)).Execution.Holder?.Id, Is.EqualTo("w2"));
    }

    [Test]
    public void What_is_urgent_takes_the_place_of_what_waits_behind_it()
    {
        long session = Join(Build.Worker("w1") with { Prefetch = 1 });
        Submit(Build.Request(1));
        var waiting = Submit(Build.Request(2));
        var lease = Offered()[1].Id;
        var urgent = Submit(Build.Request(3) with { Priority = -1 });
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(lease)]));

        Queue.HandBack("w1", session, lease, Now);
        Assert.That((urgent.Execution.State, waiting.Execution.State), Is.EqualTo((ExecutionState.Leased, ExecutionState.Queued)));
    }

    [Test]
    public void Only_one_gives_way_for_each_that_comes_before_it_and_nobody_for_what_comes_after()
    {
        Join(Ahead);
        foreach (int action in new[] { 1, 2, 3 }) Submit(Build.Request(action));
        Told();
        Submit(Build.Request(4) with { Priority = -1 });
        Submit(Build.Request(5) with { Priority = 1 });

        Assert.That(Told().OfType<WorkerCommand.RecallLease>().Count(), Is.EqualTo(1));
    }

    [Test]
    public void What_nobody_waits_for_any_more_gives_way_to_what_somebody_does()
    {
        Join(Build.Worker("w1") with { Prefetch = 1 });
        Submit(Build.Request(1));
        var lost = Submit(Build.Request(2));
        Submit(Build.Request(3));
        Told();
        Unwatch(lost, isCancelled: false);

        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(lost.Execution.LeaseId)]));
    }

    [Test]
    public void The_wait_for_a_slot_is_time_in_line_and_no_running()
    {
        long session = Join(Build.Worker("w1") with { Prefetch = 1 });
        var first = Submit(Build.Request(1));
        var second = Submit(Build.Request(2));
        Queue.Started("w1", session, first.Execution.LeaseId, waited: TimeSpan.Zero, Now);
        KeepAlive(session, TimeSpan.FromSeconds(10));
        Queue.Report("w1", first.Execution.LeaseId, Build.Ok(), Now);
        var snapshot = Queue.Snapshot(Now);
        Assert.That((snapshot.Running, second.ToSnapshot().Stage), Is.EqualTo((0, OperationStage.Queued)));

        Queue.Started("w1", session, second.Execution.LeaseId, waited: TimeSpan.FromSeconds(9), Now);
        Assert.That(Queue.FindLease(second.Execution.LeaseId)!.InLine, Is.EqualTo(TimeSpan.FromSeconds(9)));
        Queue.TakeTransitions();
        Queue.Report("w1", second.Execution.LeaseId, Build.Ok(), Now);
        var ended = PublishEnded().Single();
        Assert.That((ended.Waited, ended.Assigned), Is.EqualTo(((TimeSpan?)TimeSpan.FromSeconds(9), (TimeSpan?)TimeSpan.FromSeconds(1))));
    }

    [Test]
    public void No_worker_has_waited_longer_than_it_had_the_lease()
    {
        long session = Join(Build.Worker("w1"));
        var operation = Submit(Build.Request(1));
        KeepAlive(session, TimeSpan.FromSeconds(2));
        Queue.Started("w1", session, operation.Execution.LeaseId, waited: TimeSpan.FromDays(1), Now);

        Assert.That(operation.Execution.WaitedThere, Is.EqualTo(TimeSpan.FromSeconds(2)));
    }

    [Test]
    public void The_oldest_in_line_may_wait_at_a_worker()
    {
        long session = Join(Build.Worker("w1") with { Prefetch = 1 });
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        KeepAlive(session, TimeSpan.FromSeconds(3));

        Assert.That(Queue.Snapshot(Now).Platforms.Single().OldestAge, Is.EqualTo(TimeSpan.FromSeconds(3)));
    }

    [Test]
    public void In_a_drain_nothing_is_called_back()
    {
        Join(Ahead);
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        Queue.StopLeasing();
        Told();
        Join(Build.Worker("w2"));

        Assert.That(Told(), Is.Empty);
    }

    [Test]
    public void A_worker_that_gives_back_is_told_that_it_may_forget()
    {
        long session = Join(Ahead);
        Submit(Build.Request(1));
        Submit(Build.Request(2));
        var lease = Offered()[1].Id;
        Join(Build.Worker("w2"));
        Told();
        Queue.HandBack("w1", session, lease, Now);

        Assert.That(Told().OfType<WorkerCommand.CancelLease>().Single().Lease, Is.EqualTo(lease));
    }
}
