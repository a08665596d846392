using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>What nobody offers is refused at once, in words that help, unless who offered it may be about to come back.</summary>
[TestFixture]
internal sealed class OfferTests : QueueFixture
{
    private const string Image = "container-image=docker://x";

    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    [SetUp]
    public void MakeNothing()
    {
        Options = Options with { UnsatisfiableMax = TimeSpan.FromMilliseconds(500) };
        NewQueue();
    }

    [Test]
    public void F20_an_image_that_nobody_offers_is_refused_within_a_second_with_the_remedy()
    {
        long session = Join(Build.Worker());
        string message = RefusalOf(Build.Request(1, Image), session, Second);

        Assert.That(message, Does.Contain("leave container-image out").And.Contain("--ignore-property container-image").And.Contain("container-image=*"));
    }

    [Test]
    public void F20_a_worker_may_take_any_value()
    {
        Join(Build.Worker("w1", 1, "container-image=*"));

        Assert.That(Submit(Build.Request(1, Image)).Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void F20_a_name_may_be_left_out_of_account_and_is_recorded()
    {
        Options = Options with { IgnoredProperties = new HashSet<string> { "container-image" } };
        NewQueue();
        Join(Build.Worker());
        var operation = Submit(Build.Request(1, Image));

        Assert.That(Queue.FindLease(operation.Execution.LeaseId)?.Ignored.Select(property => $"{property}"), Is.EqualTo([Image]));
    }

    [TestCase("resources:cpu=1")]
    [TestCase("resources:cpu=0.5")]
    [TestCase("resources:cpu=auto")]
    [TestCase("resources:cpu=100000")]
    [TestCase("resources:memory=512")]
    [TestCase("cpu_count=4")]
    [TestCase("memory_kb=1024")]
    [TestCase("min-cores=2")]
    [TestCase("max-mem=9")]
    public void F03_a_request_for_so_much_of_a_machine_is_recorded_and_left_out_of_account(string property)
    {
        Join(Build.Worker());
        var operation = Submit(Build.Request(1, property));

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Leased));
        Assert.That(Queue.FindLease(operation.Execution.LeaseId)?.Ignored.Select(ignored => $"{ignored}"), Is.EqualTo([property]));
    }

    [Test]
    public void A_name_that_nobody_knows_is_told_with_those_that_are_known()
    {
        long session = Join(Build.Worker("w1", 1, "OSFamily=linux"));

        Assert.That(RefusalOf(Build.Request(1, "gpu=1"), session, Second), Does.Contain("known are OSFamily, Pool"));
    }

    [TestCase("bazel 7.0", "exec_properties")]
    [TestCase("buck2", "the platform properties that your client sends")]
    [TestCase("", "the platform properties that your client sends")]
    public void The_advice_is_in_the_words_of_whoever_asked(string tool, string says)
    {
        long session = Join(Build.Worker());
        var request = Build.Request(1, "gpu=1") with { Origin = new RequestOrigin { ToolName = tool } };

        Assert.That(RefusalOf(request, session, Second), Does.Contain(says));
    }

    [Test]
    public void Nothing_is_refused_right_after_a_start()
    {
        Queue.Recover([], Now);
        var operation = Submit(Build.Request());
        Advance(Options.OfferGrace - Second);
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));

        Advance(Second);
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [TestCase(false)]
    [TestCase(true)]
    public void Nothing_is_refused_right_after_the_loss_of_the_last_worker_that_offered_it(bool drains)
    {
        long other = Join(Build.Worker("w1"));
        long session = Join(Build.Worker("w2", 1, "gpu=1"));
        if (drains) Leave(session);
        else Queue.Disconnected("w2", session, Now);
        KeepAlive(other, Second);
        var operation = Submit(Build.Request(1, "gpu=1"));
        KeepAlive(other, Options.OfferGrace - (2 * Second));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));

        KeepAlive(other, Second);
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Completed));
    }

    [Test]
    public void Nothing_is_refused_while_a_worker_that_offers_it_finishes_what_it_runs()
    {
        long session = Join(Build.Worker("w1", 1, "gpu=1"));
        var running = Submit(Build.Request(1, "gpu=1")).Execution;
        Queue.Started("w1", session, running.LeaseId, waited: TimeSpan.Zero, Now);
        Queue.Drain("w1", session, Now);
        var operation = Submit(Build.Request(2, "gpu=1"));
        KeepAlive(session, 8 * Options.OfferGrace);
        Queue.Report("w1", running.LeaseId, Build.Ok(), Now);
        Advance(Options.OfferGrace - Second);
        Assert.That((StateOf("w1"), operation.Execution.State), Is.EqualTo((WorkerState.Gone, ExecutionState.Queued)));

        Join(Build.Worker("w1", 1, "gpu=1"));
        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Leased));
    }

    [Test]
    public void One_that_was_told_to_leave_while_it_was_cut_off_is_waited_for_as_well()
    {
        long other = Join(Build.Worker("w1"));
        long session = Join(Build.Worker("w2", 1, "gpu=1"));
        var running = Submit(Build.Request(1, "gpu=1")).Execution;
        Queue.Disconnected("w2", session, Now);
        session = Join(Build.Worker("w2", 1, "gpu=1") with { IsDraining = true, Running = [running.LeaseId] });
        Queue.Report("w2", running.LeaseId, Build.Ok(), Now);
        Assert.That(StateOf("w2"), Is.EqualTo(WorkerState.Gone));
        var operation = Submit(Build.Request(2, "gpu=1"));
        KeepAlive(other, Options.OfferGrace - Second);

        Assert.That(operation.Execution.State, Is.EqualTo(ExecutionState.Queued));
    }

    /// <summary>What it runs holds it for longer than any grace.</summary>
    private void Leave(long session)
    {
        var running = Submit(Build.Request(9, "gpu=1")).Execution;
        Queue.Drain("w2", session, Now);
        KeepAlive(session, 2 * Options.OfferGrace, "w2");
        Queue.Report("w2", running.LeaseId, Build.Ok(), Now);
    }

    private string RefusalOf(ExecutionRequest request, long session, TimeSpan within)
    {
        var operation = Submit(request);
        KeepAlive(session, within);
        PublishEnded();
        Assert.That(operation.Outcome?.Code, Is.EqualTo(OutcomeCode.FailedPrecondition));
        return operation.Outcome!.Message;
    }
}
