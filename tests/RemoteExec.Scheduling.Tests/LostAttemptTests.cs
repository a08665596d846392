using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>An attempt came to nothing: what it costs, and when the next one is.</summary>
[TestFixture]
internal sealed class LostAttemptTests : QueueFixture
{
    [Test]
    public void A_fault_that_passes_within_a_second_does_not_use_up_the_attempts_of_the_only_worker()
    {
        Options = Options with { QuarantineAfter = int.MaxValue };
        NewQueue();
        Join(Build.Worker());
        var operation = Submit(Build.Request());
        var passes = Now.Monotonic + TimeSpan.FromSeconds(1);
        while (Now.Monotonic < passes)
        {
            // Whatever it is given while the fault lasts it fails at once.
            if (operation.Execution.Holder is not null) Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
            Advance(TimeSpan.FromMilliseconds(10));
        }

        WaitOut();
        Queue.Report("w1", operation.Execution.LeaseId, Build.Ok(), Now);
        Assert.That(operation.Execution.Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
    }

    [Test]
    public void Each_lost_attempt_waits_longer_than_the_one_before_and_never_beyond_the_bound()
    {
        Options = Options with { AttemptsMax = 12, QuarantineAfter = int.MaxValue };
        NewQueue();
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        var waits = new List<TimeSpan>();
        for (int lost = 1; lost < Options.AttemptsMax; lost++)
        {
            Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
            waits.Add(operation.Execution.NotBefore!.Value - Now.Monotonic);
            KeepAlive(session, Options.AttemptWaitMax);
        }

        Assert.That(waits[0], Is.InRange(Options.AttemptWaitFirst / 2, Options.AttemptWaitFirst));
        Assert.That(waits.Take(5), Is.Ordered.Ascending);
        Assert.That(waits.Take(5), Is.Unique);
        Assert.That(waits, Is.All.LessThanOrEqualTo(Options.AttemptWaitMax));
        Assert.That(waits[^1], Is.GreaterThanOrEqualTo(Options.AttemptWaitMax / 2));
    }

    [Test]
    public void What_waits_out_a_lost_attempt_is_queued_and_can_be_joined_hurried_and_cancelled()
    {
        Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);

        var platform = Queue.Snapshot(Now).Platforms.Single();
        Assert.That((platform.Queued, platform.WaitingOut, platform.OldestAge), Is.EqualTo((1, 1, (TimeSpan?)TimeSpan.Zero)));
        var joined = Submit(Build.Request() with { Priority = -1 });
        Assert.That(joined.Execution, Is.SameAs(operation.Execution));
        Queue.Cancel(operation.Name, Now);
        Queue.Cancel(joined.Name, Now);
        Assert.That(Queue.Snapshot(Now).Queued, Is.Zero);
        WaitOut();
        Assert.That(joined.Execution.Attempt, Is.EqualTo(1));
    }

    [Test]
    public void What_another_client_asks_does_not_wait_for_a_lost_attempt()
    {
        Join(Build.Worker());
        var unlucky = Submit(Build.Request(1));
        var next = Submit(Build.Request(2));
        Queue.Report("w1", unlucky.Execution.LeaseId, Build.Broken(), Now);

        Assert.That(next.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void What_a_leaving_worker_hands_back_is_given_out_at_once_at_its_old_place()
    {
        var first = Submit(Build.Request(1));
        Submit(Build.Request(2));
        long session = Join(Build.Worker("leaving"));
        Queue.Drain("leaving", session, Now);
        Queue.HandBack("leaving", session, first.Execution.LeaseId, Now);
        Join(Build.Worker("w2"));

        Assert.That(first.Execution.WorkerId, Is.EqualTo("w2"));
        Assert.That((first.Execution.Attempt, first.Execution.Losses), Is.EqualTo((2, 0)));
        Assert.That(StateOf("leaving"), Is.EqualTo(WorkerState.Gone));
    }

    [Test]
    public void A_worker_that_stays_is_not_given_at_once_what_it_has_handed_back()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.HandBack("w1", session, operation.Execution.LeaseId, Now);
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));

        WaitOut();
        Assert.That((operation.Execution.State, operation.Execution.Losses), Is.EqualTo((ExecutionState.Leased, 0)));
    }

    [Test]
    public void Handing_back_a_stale_lease_changes_nothing()
    {
        long session = Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.HandBack("w1", session, new LeaseId(operation.Execution.Id, 7), Now);
        Queue.HandBack("w1", session + 1, operation.Execution.LeaseId, Now);

        Assert.That((operation.Execution.State, operation.Execution.Attempt), Is.EqualTo((ExecutionState.Leased, 1)));
    }

    [Test]
    public void The_story_of_an_execution_stays_short_however_often_it_is_handed_back()
    {
        var operation = Submit(Build.Request());
        for (int i = 0; i < 100; i++)
        {
            long session = Join(Build.Worker($"w{i}"));
            if (i == 50)
            {
                Queue.Report($"w{i}", operation.Execution.LeaseId, Build.Broken("the one that counts"), Now);
                Queue.Disconnected($"w{i}", session, Now);
                WaitOut();
                continue;
            }

            Queue.Drain($"w{i}", session, Now);
            Queue.HandBack($"w{i}", session, operation.Execution.LeaseId, Now);
        }

        Assert.That(operation.Execution.Attempt, Is.EqualTo(100));
        Assert.That(operation.Execution.Lost, Has.Count.LessThan(20));
        Assert.That(operation.Execution.Lost.Select(lost => lost.Reason), Has.One.EqualTo("the one that counts"));
    }

    [Test]
    public void A_lease_that_its_worker_was_never_told_of_costs_nothing()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        // The offer still waits for the journal when the connection breaks.
        Queue.Disconnected("w1", session, Now);
        Join(Build.Worker());

        Assert.That((operation.Execution.Attempt, operation.Execution.Losses), Is.EqualTo((2, 0)));
    }

    [Test]
    public void A_worker_cannot_lose_what_it_has_not_been_told_of()
    {
        var operation = Submit(Build.Request());
        long session = Join(Build.Worker());
        for (int beat = 0; beat < 5; beat++)
        {
            Advance(Options.HeartbeatInterval);
            Queue.Heartbeat("w1", session, [], Now);
        }

        Assert.That((operation.Execution.State, operation.Execution.Attempt), Is.EqualTo((ExecutionState.Leased, 1)));
    }
}
