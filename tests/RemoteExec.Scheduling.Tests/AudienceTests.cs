using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Many are told, and what goes wrong with one of them is nobody else's.</summary>
[TestFixture]
internal sealed class AudienceTests
{
    [Test]
    public void What_cannot_be_told_to_one_is_told_to_all_others()
    {
        var audience = new Audience(new ThrowingObserver());
        var ended = new Effect.ExecutionEnded(new CompletedExecution(
            default, Build.Request(), Build.Ok(), Attempt: 1, WorkerId: "w1", Pool: "", Build.Start, LeasedAt: null, StartedAt: null, Build.Start));
        var operation = new OperationSnapshot
        {
            Name = "operations/1",
            Execution = default,
            Request = Build.Request(),
            Stage = OperationStage.Queued,
            CreatedAt = Build.Start,
            QueuedAt = Build.Start,
        };

        foreach (var effect in new Effect[] { ended, new Effect.OperationChanged(operation), ended }) audience.Tell(effect);

        Assert.That(audience.Find("operations/1")!.Current, Is.SameAs(operation));
    }

    [Test]
    public void Feeds_that_are_opened_after_the_end_of_all_have_ended_too()
    {
        var audience = new Audience(new ThrowingObserver());
        audience.EndFeeds(new SchedulingException(OutcomeCode.Unavailable, "over"));
        audience.Tell(new Effect.OperationChanged(new OperationSnapshot
        {
            Name = "operations/1",
            Execution = default,
            Request = Build.Request(),
            Stage = OperationStage.Queued,
            CreatedAt = Build.Start,
            QueuedAt = Build.Start,
        }));

        Assert.That(Assert.Throws<SchedulingException>(() => audience.Find("operations/1")!.Read(seen: null, out _))!.Message, Is.EqualTo("over"));
    }

    private sealed class ThrowingObserver : ISchedulingObserver
    {
        public void Ended(CompletedExecution execution) => throw new TimeZoneNotFoundException("no one thought of this");
    }
}
