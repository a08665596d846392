using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Who waits for an execution, and what becomes of it when nobody does.</summary>
[TestFixture]
internal sealed class InterestTests : QueueFixture
{
    [Test]
    public void A_client_that_cancels_ends_its_queued_work_at_once()
    {
        var operation = Submit(Build.Request());
        Unwatch(operation, isCancelled: true);

        Assert.That((operation.Outcome?.Code, Queue.Snapshot(Now).Queued), Is.EqualTo((OutcomeCode.Cancelled, 0)));
    }

    [Test]
    public void A_client_that_cancels_has_what_runs_for_it_killed_at_once()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        var lease = Offered().Single().Id;
        Queue.Started("w1", session, lease, waited: TimeSpan.Zero, Now);
        Unwatch(operation, isCancelled: true);

        Assert.That(Told().OfType<WorkerCommand.CancelLease>().Single().Lease, Is.EqualTo(lease));
    }

    [Test]
    public void F31_what_was_handed_ahead_is_recalled_in_the_same_moment_also_in_a_drain()
    {
        Join(Build.Worker(slots: 1) with { Prefetch = 2 });
        var operations = Enumerable.Range(1, 3).Select(action => Submit(Build.Request(action))).ToArray();
        var leases = Offered().Select(lease => lease.Id).ToArray();
        Queue.StopLeasing();
        foreach (var operation in operations) Unwatch(operation, isCancelled: true);

        Assert.That(Told().OfType<WorkerCommand.CancelLease>().Select(cancel => cancel.Lease), Is.EqualTo(leases));
    }

    [Test]
    public void What_another_client_waits_for_goes_on_when_one_cancels()
    {
        var (leaver, stayer) = (Submit(Build.Request()), Submit(Build.Request()));
        Unwatch(leaver, isCancelled: true);

        Assert.That((leaver.IsDone, stayer.IsDone, stayer.Execution.State), Is.EqualTo((true, false, ExecutionState.Queued)));
    }

    [Test]
    public void A_client_that_watches_by_two_streams_and_cancels_one_still_waits()
    {
        var operation = Submit(Build.Request());
        Queue.Watch(operation.Name, Now);
        Unwatch(operation, isCancelled: true);

        Assert.That(operation.IsDone, Is.False);
    }

    [Test]
    public void A_reset_of_an_old_stream_says_nothing_about_a_client_that_has_come_back_on_another()
    {
        var operation = Submit(Build.Request());
        int first = operation.Watches;
        int second = Queue.Watch(operation.Name, Now)!.Value;
        Queue.Unwatch(operation.Name, first, isCancelled: true, Now);
        Queue.Unwatch(operation.Name, second, isCancelled: false, Now);
        Assert.That(operation.IsDone, Is.False);

        Advance(Options.AbandonedGrace);
        Assert.That(operation.IsDone, Is.True);
    }

    [Test]
    public void A_reset_of_an_old_stream_is_no_news_after_the_new_one_was_lost()
    {
        var operation = Submit(Build.Request());
        int first = operation.Watches;
        int second = Queue.Watch(operation.Name, Now)!.Value;
        Queue.Unwatch(operation.Name, second, isCancelled: false, Now);
        Queue.Unwatch(operation.Name, first, isCancelled: true, Now);

        Assert.That(operation.IsDone, Is.False);
    }

    [TestCase(true)]
    [TestCase(false)]
    public void A_client_that_cancels_both_of_its_streams_is_done_at_once(bool isOldFirst)
    {
        var operation = Submit(Build.Request());
        int first = operation.Watches;
        int second = Queue.Watch(operation.Name, Now)!.Value;
        foreach (int stream in isOldFirst ? [first, second] : new[] { second, first })
            Queue.Unwatch(operation.Name, stream, isCancelled: true, Now);

        Assert.That(operation.IsDone, Is.True);
    }

    [Test]
    public void What_nobody_waits_for_stands_behind_every_priority()
    {
        var lost = Submit(Build.Request(1) with { Priority = int.MinValue });
        Unwatch(lost, isCancelled: false);
        Submit(Build.Request(2) with { Priority = int.MaxValue });
        Join(Build.Worker(slots: 2));

        Assert.That(Offered().Select(lease => lease.Request.Action), Is.EqualTo(new[] { Build.Digest(2), Build.Digest(1) }));
    }

    [Test]
    public void Who_comes_back_has_its_old_place()
    {
        var lost = Submit(Build.Request(1));
        Unwatch(lost, isCancelled: false);
        Submit(Build.Request(2));
        Queue.Watch(lost.Name, Now);
        Join(Build.Worker());

        Assert.That(Offered().Single().Request.Action, Is.EqualTo(Build.Digest(1)));
    }

    [Test]
    public void Who_joins_what_nobody_waits_for_lends_it_a_place_among_the_watched()
    {
        var lost = Submit(Build.Request(1));
        Unwatch(lost, isCancelled: false);
        Submit(Build.Request(2));
        Submit(Build.Request(1));
        Join(Build.Worker());

        Assert.That(Offered().Single().Request.Action, Is.EqualTo(Build.Digest(1)));
    }

    [Test]
    public void After_a_restart_those_who_are_back_go_first()
    {
        var names = new[] { 1, 2 }.Select(action => Submit(Build.Request(action)).Name).ToArray();
        var records = Queue.TakeTransitions().Records;
        NewQueue();
        Queue.Recover(records, Now);
        Queue.Watch(names[1], Now);
        Join(Build.Worker());

        Assert.That(Offered().Single().Request.Action, Is.EqualTo(Build.Digest(2)));
    }
}
