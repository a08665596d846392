using NUnit.Framework;

namespace RemoteExec.Core.Tests;

/// <summary>DESIGN D8: whatever comes is the failure of one item.</summary>
[TestFixture]
internal sealed class ServingLoopTests
{
    private static readonly Exception Odd = new TimeZoneNotFoundException("no one thought of this");

    [Test]
    public async Task A_failure_of_any_type_is_handed_to_its_item_and_to_nobody_else()
    {
        var failures = new List<Exception>();

        Assert.That(ServingLoop.Serve(() => throw Odd, failures.Add), Is.False);
        Assert.That(ServingLoop.Serve(failures, static _ => throw Odd, static (all, failure) => all.Add(failure)), Is.False);
        Assert.That(await ServingLoop.ServeAsync(() => throw Odd, failures.Add), Is.False);
        Assert.That(await ServingLoop.ServeAsync(async () =>
        {
            await Task.Yield();
            throw Odd;
        }, failures.Add), Is.False);
        Assert.That(await ServingLoop.ServeAsync(failures, static _ => throw Odd, static (all, failure) => all.Add(failure)), Is.False);

        Assert.That(failures, Has.Count.EqualTo(5).And.All.SameAs(Odd));
    }

    [Test]
    public async Task Who_is_served_is_served_once()
    {
        int served = 0;

        Assert.That(ServingLoop.Serve(() => served++, _ => Assert.Fail()));
        Assert.That(ServingLoop.Serve(new[] { 1 }, static item => item[0]++, static (_, _) => Assert.Fail()));
        Assert.That(await ServingLoop.ServeAsync(() =>
        {
            served++;
            return ValueTask.CompletedTask;
        }, _ => Assert.Fail()));
        Assert.That(await ServingLoop.ServeAsync(0, static _ => ValueTask.CompletedTask, static (_, _) => Assert.Fail()));

        Assert.That(served, Is.EqualTo(2));
    }

    [Test]
    public async Task A_failure_that_cannot_be_told_ends_nothing_either()
    {
        Assert.That(ServingLoop.Serve(() => throw Odd, _ => throw Odd), Is.False);
        Assert.That(ServingLoop.Serve(0, static _ => throw Odd, static (_, _) => throw Odd), Is.False);
        Assert.That(await ServingLoop.ServeAsync(() => throw Odd, _ => throw Odd), Is.False);
        Assert.That(await ServingLoop.ServeAsync(0, static _ => throw Odd, static (_, _) => throw Odd), Is.False);
    }
}
