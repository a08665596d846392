using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Between the end of an execution and its publication equal requests join it, but only what is good news for them.</summary>
[TestFixture]
internal sealed class NewsTests : QueueFixture
{
    [Test]
    public void Somebody_elses_cancellation_is_not_told_to_a_new_client()
    {
        var theirs = Submit(Build.Request());
        Queue.Cancel(theirs.Name, Now);
        var ours = Submit(Build.Request());
        PublishEnded();

        Assert.That(ours.IsDone, Is.False);
        Assert.That(ours.Execution, Is.Not.SameAs(theirs.Execution));
        Assert.That(Submit(Build.Request()).Execution, Is.SameAs(ours.Execution), "the old end does not take the new one's place");
    }

    [Test]
    public void Neither_is_an_abandonment_or_the_bad_luck_of_others()
    {
        Options = Options with { AttemptsMax = 1 };
        NewQueue();
        var abandoned = Submit(Build.Request(1));
        Unwatch(abandoned, isCancelled: false);
        Advance(Options.UnsatisfiableMax - TimeSpan.FromSeconds(1));
        long session = Join(Build.Worker(slots: 9));
        KeepAlive(session, Options.AbandonedGrace - Options.UnsatisfiableMax + TimeSpan.FromSeconds(1));
        Assert.That(Submit(Build.Request(1)).Execution, Is.Not.SameAs(abandoned.Execution));

        var unlucky = Submit(Build.Request(2));
        Queue.Report("w1", unlucky.Execution.LeaseId, Build.Broken(), Now);
        Assert.That(unlucky.Execution.State, Is.EqualTo(ExecutionState.Completed));
        Assert.That(Submit(Build.Request(2)).Execution, Is.Not.SameAs(unlucky.Execution));
    }

    [Test]
    public void A_good_end_is_shared()
    {
        Join(Build.Worker());
        var theirs = Submit(Build.Request());
        Queue.Report("w1", theirs.Execution.LeaseId, Build.Ok("both"), Now);
        var ours = Submit(Build.Request());
        PublishEnded();

        Assert.That(ours.Outcome, Is.SameAs(theirs.Outcome));
    }
}
