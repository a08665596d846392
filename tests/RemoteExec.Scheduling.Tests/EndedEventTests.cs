using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>Who is told that executions are over, and the doors for what is held.</summary>
internal sealed class EndedEventTests
{
    [Test]
    public async Task Each_end_is_told_before_its_waiters_know_and_one_that_throws_changes_nothing()
    {
        await using var scheduler = await StartAsync();
        var ended = new List<ExecutionId>();
        scheduler.Ended += ended.Add;
        scheduler.Ended += _ => throw new InvalidOperationException("a bug");
        ExecutionId? held = null;
        using var feed = await scheduler.SubmitAsync(Build.Request(), new InputHold(id => held = id), static () => false, default);
        Assert.That(scheduler.Refuse(held!.Value, Build.Of(Blame.Client, "missing")));

        var end = await feed.WaitAsync(default).AsTask().WaitAsync(TimeSpan.FromSeconds(60));
        Assert.That(end.Outcome!.Message, Is.EqualTo("missing"));
        Assert.That(ended, Is.EqualTo(new[] { feed.Current.Execution }));
        Assert.That(scheduler.Release(held.Value), Is.False);
    }

    [Test]
    public async Task A_coordinator_that_has_ended_its_feeds_is_leaving()
    {
        await using var scheduler = await StartAsync();
        scheduler.BeginDrain();
        Assert.That(scheduler.IsLeaving, Is.False);
        scheduler.EndFeeds();
        Assert.That(scheduler.IsLeaving);
    }

    private static async Task<Scheduler> StartAsync()
    {
        var scheduler = new Scheduler(new SchedulerOptions(), new MemoryOperationJournal(), new ManualTime());
        await scheduler.StartAsync(default);
        return scheduler;
    }
}
