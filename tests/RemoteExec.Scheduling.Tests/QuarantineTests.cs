using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Who is kept from work, for how long, and what ends it.</summary>
[TestFixture]
internal sealed class QuarantineTests : QueueFixture
{
    private TimeSpan? Quarantine(string worker = "w1") =>
        Queue.Snapshot(Now).Workers.Single(candidate => candidate.Description.Id == worker).QuarantinedFor;

    private IReadOnlyList<LeaseId> Fill(int slots, int from = 1) =>
        [.. Enumerable.Range(from, slots).Select(action => Submit(Build.Request(action)).Execution.LeaseId)];

    [Test]
    public void Who_says_what_is_not_so_gets_nothing_more_while_somebody_else_can_have_it()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request(1));
        Join(Build.Worker("w2"));
        var busy = Submit(Build.Request(2));
        Queue.Report("w1", operation.Execution.LeaseId, Lie(), Now);
        Assert.That((StateOf("w1"), Quarantine()), Is.EqualTo((WorkerState.Quarantined, Options.QuarantineFirst)));

        // Free as it is, it is not asked again, though the other is busy.
        KeepAlive(session, Options.HeartbeatInterval);
        Queue.Heartbeat("w2", session + 1, held: null, Now);
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));
        Queue.Report("w2", busy.Execution.LeaseId, Build.Ok(), Now);
        Assert.That(operation.Execution.WorkerId, Is.EqualTo("w2"));
    }

    [Test]
    public void Who_is_alone_and_says_what_is_not_so_is_marked_like_any_that_fails_and_asked_until_the_attempts_are_used_up()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request(1));
        while (operation.Execution.State != ExecutionState.Completed)
        {
            Queue.Report("w1", operation.Execution.LeaseId, Lie(), Now);
            KeepAlive(session, Options.AttemptWaitMax);
        }

        Assert.That((operation.Execution.Attempt, operation.Execution.Outcome!.Code), Is.EqualTo((Options.AttemptsMax, OutcomeCode.Unavailable)));
        Assert.That(operation.Execution.Outcome.Message, Does.Contain("worker w1 reported what is not so"), "the client reads whose lie it was");
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Ready));
    }

    private static ExecutionOutcome Lie() => Build.Broken("worker w1 reported what is not so") with { IsFalse = true };

    [Test]
    public void Leases_that_were_out_when_it_began_do_not_make_a_quarantine_longer()
    {
        long session = Join(Build.Worker(slots: 8));
        foreach (var lease in Fill(8)) Queue.Report("w1", lease, Build.Broken(), Now);

        Assert.That(Quarantine(), Is.EqualTo(Options.QuarantineFirst));
        KeepAlive(session, Options.QuarantineFirst);
        Assert.That(Queue.Snapshot(Now).Workers.Single().Leases, Has.Count.EqualTo(1), "the probe");
    }

    [Test]
    public void Only_the_failure_of_the_probe_itself_doubles_it()
    {
        long session = Join(Build.Worker(slots: 4));
        var leases = Fill(4);
        foreach (var lease in leases.Take(3)) Queue.Report("w1", lease, Build.Broken(), Now);
        KeepAlive(session, Options.QuarantineFirst / 2);
        Queue.Report("w1", leases[3], Build.Broken(), Now);
        Assert.That(Quarantine(), Is.EqualTo(Options.QuarantineFirst / 2));

        KeepAlive(session, Options.QuarantineFirst / 2);
        var probe = Queue.Snapshot(Now).Workers.Single().Leases.Single();
        Queue.Report("w1", probe, Build.Broken(), Now);
        Assert.That(Quarantine(), Is.EqualTo(Options.QuarantineFirst * 2));
    }

    [Test]
    public void A_probe_that_says_nothing_about_the_worker_is_followed_by_another()
    {
        Options = Options with { QuarantineAfter = 1 };
        NewQueue();
        long session = Join(Build.Worker());
        var first = Submit(Build.Request(1));
        var second = Submit(Build.Request(2));
        Queue.Report("w1", first.Execution.LeaseId, Build.Broken(), Now);
        KeepAlive(session, Options.QuarantineFirst);

        Queue.Report("w1", first.Execution.LeaseId, Build.Of(Blame.Client), Now);
        Assert.That((StateOf("w1"), second.Execution.State), Is.EqualTo((WorkerState.Quarantined, ExecutionState.Leased)));
    }

    [Test]
    public void A_quarantine_survives_a_reconnect_and_what_runs_goes_on()
    {
        long session = Join(Build.Worker(slots: 4));
        var leases = Fill(4);
        foreach (var lease in leases.Take(3)) Queue.Report("w1", lease, Build.Broken(), Now);
        Queue.Disconnected("w1", session, Now);
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Joining), "what it runs is waited for");

        Advance(TimeSpan.FromSeconds(1));
        session = Join(Build.Worker(slots: 4) with { Running = [leases[3]] });
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Quarantined));
        Assert.That(Quarantine(), Is.EqualTo(Options.QuarantineFirst - TimeSpan.FromSeconds(1)));
        Assert.That(Queue.FindLease(leases[3]), Is.Not.Null);

        KeepAlive(session, TimeSpan.FromSeconds(1));
        Assert.That(Queue.Report("w1", leases[3], Build.Ok(), Now), Is.EqualTo(ReportVerdict.Accepted));
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Ready), "a command ran");
    }

    [Test]
    public void A_worker_that_was_lost_in_quarantine_is_not_washed_clean_by_it()
    {
        long session = Join(Build.Worker(slots: 3));
        foreach (var lease in Fill(3)) Queue.Report("w1", lease, Build.Broken(), Now);
        Queue.Disconnected("w1", session, Now);
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Gone), "it holds nothing");

        session = Join(Build.Worker(slots: 3));
        KeepAlive(session, Options.QuarantineFirst - TimeSpan.FromSeconds(1));
        Assert.That(Queue.Snapshot(Now).Workers.Single().Leases, Is.Empty);
        KeepAlive(session, TimeSpan.FromSeconds(1));
        Assert.That(Queue.Snapshot(Now).Workers.Single().Leases, Has.Count.EqualTo(1), "the probe");
    }

    [Test]
    public void A_worker_that_comes_back_after_its_quarantine_is_probed_at_once()
    {
        long session = Join(Build.Worker(slots: 3));
        foreach (var lease in Fill(3)) Queue.Report("w1", lease, Build.Broken(), Now);
        Queue.Disconnected("w1", session, Now);
        Advance(Options.QuarantineFirst - TimeSpan.FromSeconds(1));
        var waiting = Submit(Build.Request(9));
        Advance(TimeSpan.FromSeconds(2));

        Join(Build.Worker(slots: 3));
        Advance(TimeSpan.Zero);
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Quarantined));
        Assert.That(Queue.Snapshot(Now).Workers.Single().Leases, Has.Count.EqualTo(1));
        Assert.That(waiting.IsDone, Is.False);
    }

    [Test]
    public void Who_left_in_good_order_or_was_away_for_long_begins_anew()
    {
        long session = Join(Build.Worker("drained", slots: 3));
        foreach (var lease in Fill(3)) Queue.Report("drained", lease, Build.Broken(), Now);
        Queue.Drain("drained", session, Now);
        Join(Build.Worker("drained", slots: 3));
        Assert.That(StateOf("drained"), Is.EqualTo(WorkerState.Ready));

        NewQueue();
        session = Join(Build.Worker("away", slots: 3));
        foreach (var lease in Fill(3)) Queue.Report("away", lease, Build.Broken(), Now);
        Queue.Disconnected("away", session, Now);
        Advance(Options.QuarantineFirst + Options.QuarantineMax);
        Join(Build.Worker("away", slots: 3));
        Assert.That(StateOf("away"), Is.EqualTo(WorkerState.Ready));
    }

    [Test]
    public void Failures_that_are_reported_while_a_worker_is_away_count()
    {
        long session = Join(Build.Worker(slots: 4));
        var leases = Fill(4);
        Queue.Disconnected("w1", session, Now);
        foreach (var lease in leases.Take(3)) Queue.Report("w1", lease, Build.Broken(), Now);
        Join(Build.Worker(slots: 4) with { Running = [leases[3]] });

        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Quarantined));
    }

    [Test]
    public void Who_writes_the_log_is_told_of_a_worker_that_comes_is_kept_from_work_and_goes()
    {
        var moves = new List<string>();
        Options = Options with { QuarantineAfter = 1, WorkerMoved = move => moves.Add($"{move.Worker.Id} of {move.Worker.Pool}: {move.From} to {move.To}") };
        NewQueue();
        long session = Join(Build.Worker() with { Pool = "told" });
        var failed = Submit(Build.Request(1));
        Queue.Report("w1", failed.Execution.LeaseId, Build.Broken(), Now);
        KeepAlive(session, Options.QuarantineFirst);
        Queue.Report("w1", failed.Execution.LeaseId, Build.Ok(), Now);
        Queue.Drain("w1", session, Now);

        Assert.That(moves, Is.EqualTo(new[]
        {
            "w1 of told: Joining to Ready", "w1 of told: Ready to Quarantined", "w1 of told: Quarantined to Ready",
            "w1 of told: Ready to Draining", "w1 of told: Draining to Gone",
        }));
    }

    [Test]
    public void Who_writes_the_log_and_throws_changes_nothing()
    {
        Options = Options with { WorkerMoved = _ => throw new TimeZoneNotFoundException() };
        NewQueue();
        Join(Build.Worker());

        Assert.That(Queue.Snapshot(Now).Workers.Single().State, Is.EqualTo(WorkerState.Ready));
    }
}
