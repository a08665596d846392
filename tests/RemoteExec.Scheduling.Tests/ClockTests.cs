using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Somebody sets the wall clock by an hour, in either direction: nothing is lost, nothing hangs.</summary>
[TestFixture(1)]
[TestFixture(-1)]
internal sealed class ClockTests(int hours) : QueueFixture
{
    private void Step() => StepWall(TimeSpan.FromHours(hours));

    [Test]
    public void A_talking_worker_is_not_lost_and_a_silent_one_is_in_its_time()
    {
        long talking = Join(Build.Worker("talking"));
        Join(Build.Worker("silent"));
        Step();
        KeepAlive(talking, Options.WorkerSilenceMax - TimeSpan.FromSeconds(1), "talking");
        Assert.That((StateOf("talking"), StateOf("silent")), Is.EqualTo((WorkerState.Ready, WorkerState.Ready)));

        KeepAlive(talking, TimeSpan.FromSeconds(1), "talking");
        Assert.That((StateOf("talking"), StateOf("silent")), Is.EqualTo((WorkerState.Ready, WorkerState.Gone)));
    }

    [Test]
    public void A_worker_that_was_cut_off_has_its_grace()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        Queue.Disconnected("w1", session, Now);
        Step();
        Advance(Options.RejoinGrace - TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Leased));

        Advance(TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));
    }

    [Test]
    public void An_abandoned_operation_has_its_grace()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        Unwatch(operation, isCancelled: false);
        Step();
        KeepAlive(session, Options.AbandonedGrace - TimeSpan.FromSeconds(1));
        Assert.That(operation.IsDone, Is.False);

        KeepAlive(session, TimeSpan.FromSeconds(1));
        Assert.That(operation.IsDone);
    }

    [Test]
    public void What_nobody_offers_waits_as_long_as_ever()
    {
        var operation = Submit(Build.Request());
        Step();
        Advance(Options.UnsatisfiableMax - TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));

        Advance(TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [Test]
    public void A_quarantine_and_a_wait_last_as_long_as_ever()
    {
        Options = Options with { QuarantineAfter = 1 };
        NewQueue();
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
        Step();
        KeepAlive(session, Options.QuarantineFirst - TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.Attempt, Is.EqualTo(1));

        KeepAlive(session, TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.Attempt, Is.EqualTo(2));
    }

    [Test]
    public void A_finished_operation_is_kept_for_its_time()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.Report("w1", operation.Execution.LeaseId, Build.Ok(), Now);
        PublishEnded();
        Step();
        KeepAlive(session, Options.FinishedRetention - TimeSpan.FromSeconds(1));
        Assert.That(Queue.Find(operation.Name), Is.Not.Null);

        KeepAlive(session, TimeSpan.FromSeconds(1));
        Assert.That(Queue.Find(operation.Name), Is.Null);
    }

    [Test]
    public void A_restart_that_finds_another_time_gives_everyone_a_full_grace()
    {
        long session = Join(Build.Worker());
        var done = Submit(Build.Request(1));
        Queue.Report("w1", done.Execution.LeaseId, Build.Ok(), Now);
        var records = PublishKeepingRecords();
        var running = Submit(Build.Request(2));
        var waiting = Submit(Build.Request(3, "Pool=gpu"));
        records.AddRange(Queue.TakeTransitions().Records);

        NewQueue();
        Step();
        Queue.Recover(records, Now);
        Advance(Options.RejoinGrace - TimeSpan.FromSeconds(1));
        Assert.That(Queue.Find(running.Name)!.Execution.State, Is.EqualTo(ExecutionState.Leased));
        session = Join(Build.Worker() with { Running = [running.Execution.LeaseId] });
        KeepAlive(session, Options.UnsatisfiableMax - Options.RejoinGrace);
        Assert.That(Queue.Find(waiting.Name)!.IsDone, Is.False);
        Assert.That(Queue.Find(running.Name)!.IsDone, Is.False);
        Assert.That(Queue.Find(done.Name)!.IsDone);

        KeepAlive(session, TimeSpan.FromSeconds(2));
        Assert.That(Queue.Find(waiting.Name)!.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [Test]
    public void Durations_are_told_by_the_clock_that_nobody_sets()
    {
        var operation = Submit(Build.Request());
        Advance(TimeSpan.FromSeconds(2));
        Step();
        long session = Join(Build.Worker());
        Advance(TimeSpan.FromSeconds(1));
        Queue.Started("w1", session, operation.Execution.LeaseId, waited: TimeSpan.Zero, Now);
        Queue.Report("w1", operation.Execution.LeaseId, Build.Ok(), Now);

        var ended = PublishEnded().Single();
        Assert.That((ended.Waited, ended.Assigned), Is.EqualTo(((TimeSpan?)TimeSpan.FromSeconds(2), (TimeSpan?)TimeSpan.FromSeconds(1))));
        Assert.That(ended.LeasedAt - ended.QueuedAt, Is.EqualTo(TimeSpan.FromHours(hours) + TimeSpan.FromSeconds(2)), "stamps are what the wall said");
    }

    private List<JournalRecord> PublishKeepingRecords()
    {
        var transitions = Queue.TakeTransitions();
        foreach (var ended in transitions.Effects.OfType<Effect.ExecutionEnded>()) Queue.Publish(ended.Execution.Id, Now);
        return transitions.Records;
    }
}
