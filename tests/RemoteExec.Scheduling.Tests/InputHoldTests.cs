using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Executions that wait for inputs that somebody makes again.</summary>
[TestFixture]
internal sealed class InputHoldTests : QueueFixture
{
    private readonly List<ExecutionId> _begun = [];

    private InputHold Hold => new(_begun.Add);

    [SetUp]
    public void Forget() => _begun.Clear();

    [Test]
    public void A_held_execution_is_queued_and_nobody_is_given_it_until_it_is_released()
    {
        long session = Join(Build.Worker());
        var operation = Queue.Submit(Build.Request(), Now, Hold);
        KeepAlive(session, TimeSpan.FromMinutes(10));
        Assert.That((operation.Execution.State, operation.Execution.IsHeld), Is.EqualTo((ExecutionState.Queued, true)));
        Assert.That(_begun, Is.EqualTo(new[] { operation.Execution.Id }));

        Assert.That(Offered(), Is.Empty);
        Assert.That(Queue.Release(operation.Execution.Id, Now));
        Assert.That(Offered().Select(lease => lease.Id), Is.EqualTo(new[] { operation.Execution.LeaseId }));
        Assert.That(Queue.Release(operation.Execution.Id, Now), Is.False);
    }

    [Test]
    public void A_held_execution_keeps_its_place_and_holds_up_nobody()
    {
        var held = Queue.Submit(Build.Request(1), Now, Hold);
        var second = Submit(Build.Request(2));
        var third = Submit(Build.Request(3));
        Join(Build.Worker());
        Assert.That(second.Execution.Holder, Is.Not.Null);

        Queue.Release(held.Execution.Id, Now);
        Queue.Report("w1", second.Execution.LeaseId, Build.Ok(), Now);
        Assert.That((held.Execution.Holder is not null, third.Execution.Holder is not null), Is.EqualTo((true, false)));
    }

    [Test]
    public void Who_asks_for_the_same_joins_what_is_held_and_holds_nothing_himself()
    {
        var first = Queue.Submit(Build.Request(), Now, Hold);
        var second = Queue.Submit(Build.Request(), Now, Hold);

        Assert.That(second.Execution, Is.SameAs(first.Execution));
        Assert.That(_begun, Has.Count.EqualTo(1));
    }

    [Test]
    public void Who_joins_what_is_queued_already_does_not_hold_it()
    {
        var first = Submit(Build.Request());
        Queue.Submit(Build.Request(), Now, Hold);

        Assert.That((first.Execution.IsHeld, _begun.Count), Is.EqualTo((false, 0)));
    }

    [Test]
    public void An_attempt_whose_inputs_are_made_again_costs_nothing_and_the_next_one_waits_for_them()
    {
        Options = Options with { AttemptsMax = 1, QuarantineAfter = 1 };
        NewQueue();
        Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.Report("w1", operation.Execution.LeaseId, Build.Of(Blame.Client) with { Hold = Hold }, Now);

        Assert.That((operation.Execution.IsHeld, operation.Execution.Losses), Is.EqualTo((true, 0)));
        Assert.That(StateOf("w1"), Is.EqualTo(WorkerState.Ready));
        Assert.That(_begun, Is.EqualTo(new[] { operation.Execution.Id }));
        Queue.Release(operation.Execution.Id, Now);
        Assert.That((operation.Execution.Attempt, operation.Execution.Tries), Is.EqualTo((2, 1)));
    }

    [Test]
    public void Its_worker_runs_what_makes_the_inputs_meanwhile()
    {
        Join(Build.Worker());
        var operation = Submit(Build.Request(1));
        var producer = Submit(Build.Request(2));
        Queue.Report("w1", operation.Execution.LeaseId, Build.Of(Blame.Client) with { Hold = Hold }, Now);

        Assert.That(producer.Execution.Holder, Is.Not.Null);
    }

    [Test]
    public void A_held_execution_can_be_refused_with_what_its_client_is_to_be_told()
    {
        var operation = Queue.Submit(Build.Request(), Now, Hold);
        Assert.That(Queue.Refuse(operation.Execution.Id, Build.Of(Blame.Client, "missing"), Now));
        PublishEnded();

        Assert.That(operation.Outcome!.Message, Is.EqualTo("missing"));
        Assert.That(Queue.Refuse(operation.Execution.Id, Build.Of(Blame.Client), Now), Is.False);
    }

    [Test]
    public void What_nobody_releases_ends_at_last_as_what_may_be_tried_again([Values] bool isHeldAgain)
    {
        long session = Join(Build.Worker());
        var operation = Queue.Submit(Build.Request(), Now, Hold);
        if (isHeldAgain)
        {
            KeepAlive(session, Options.HoldMax / 2);
            Queue.Release(operation.Execution.Id, Now);
            Queue.Report("w1", operation.Execution.LeaseId, Build.Of(Blame.Client) with { Hold = Hold }, Now);
        }

        KeepAlive(session, Options.HoldMax - TimeSpan.FromSeconds(1));
        Assert.That(operation.Execution.IsHeld);
        KeepAlive(session, TimeSpan.FromSeconds(1));

        Assert.That((operation.Execution.State, operation.Execution.Outcome?.Code), Is.EqualTo((ExecutionState.Completed, (OutcomeCode?)OutcomeCode.Unavailable)));
    }

    [Test]
    public void Whether_a_client_waits_for_what_is_leased_is_known()
    {
        Join(Build.Worker());
        var rerun = Submit(Build.Request() with { IsRerun = true });
        Assert.That(Queue.FindLease(rerun.Execution.LeaseId)?.IsRerun, Is.True);

        var joined = Submit(Build.Request());
        Assert.That(Queue.FindLease(rerun.Execution.LeaseId)?.IsRerun, Is.False);

        Queue.Cancel(joined.Name, Now);
        Assert.That(Queue.FindLease(rerun.Execution.LeaseId)?.IsRerun, Is.True);
    }

    [Test]
    public void What_is_not_held_is_neither_released_nor_refused()
    {
        Join(Build.Worker());
        var operation = Submit(Build.Request());

        Assert.That(Queue.Release(operation.Execution.Id, Now), Is.False);
        Assert.That(Queue.Refuse(operation.Execution.Id, Build.Of(Blame.Client), Now), Is.False);
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void A_held_execution_ends_with_the_last_client_that_waits_for_it()
    {
        var operation = Queue.Submit(Build.Request(), Now, Hold);
        Unwatch(operation, isCancelled: true);

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Completed));
        Assert.That(Queue.Release(operation.Execution.Id, Now), Is.False);
    }

    [Test]
    public void The_end_of_an_earlier_wait_does_not_release_what_is_held()
    {
        Join(Build.Worker());
        var operation = Submit(Build.Request());
        Queue.Report("w1", operation.Execution.LeaseId, Build.Broken(), Now);
        Submit(Build.Request(2)); // somebody else is served meanwhile
        long session = Join(Build.Worker("w2"));
        KeepAlive(session, Options.AttemptWaitFirst, "w2");
        Queue.Report("w2", operation.Execution.LeaseId, Build.Of(Blame.Client) with { Hold = Hold }, Now);
        KeepAlive(session, Options.AttemptWaitMax, "w2");

        Assert.That(operation.Execution.IsHeld);
    }

    [Test]
    public void After_a_restart_what_was_held_is_given_out_for_its_worker_to_find_what_it_lacks()
    {
        Join(Build.Worker());
        var asked = Queue.Submit(Build.Request(1), Now, Hold);
        var reported = Submit(Build.Request(2));
        Queue.Report("w1", reported.Execution.LeaseId, Build.Of(Blame.Client) with { Hold = Hold }, Now);

        var records = Queue.TakeTransitions().Records;
        NewQueue();
        Queue.Recover(records, Now);
        Join(Build.Worker("w2", slots: 2));

        Assert.That(
            new[] { asked, reported }.Select(operation => Queue.Find(operation.Name)!.Execution).Select(execution => (execution.IsHeld, execution.Holder?.Id)),
            Is.All.EqualTo((false, "w2")));
    }
}
