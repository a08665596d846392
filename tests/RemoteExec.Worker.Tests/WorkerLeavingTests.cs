using NUnit.Framework;
using RemoteExec.Protocol.V1;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

/// <summary>A worker that has no patience with what it runs when it is told to leave.</summary>
public sealed class WorkerLeavingTests : WorkerLoopFixture
{
    private readonly ManualTime _time = new();

    private protected override TimeSpan DrainMax => TimeSpan.Zero;

    private protected override TimeProvider Time => _time;

    [Test]
    public async Task What_outlasts_the_drain_limit_is_killed_and_given_back()
    {
        Dying = new TaskCompletionSource();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "long");
        await Drain.CancelAsync();
        Assert.That((await stream.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested));

        Dying.SetResult();
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("long")));
        stream.Complete();
        await Running;
    }

    [Test]
    public async Task What_was_given_back_on_a_line_that_broke_is_given_back_again()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "long");
        await Drain.CancelAsync();
        await stream.NextAsync();
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("long")));
        stream.Complete(Failure());
        // The pause before it connects again, and nothing of the patience with which it waits for its goodbye.
        await _time.WaitForTimerAsync(TimeSpan.FromMilliseconds(25), TimeSpan.FromMilliseconds(75));
        _time.Advance(TimeSpan.FromMilliseconds(75));

        var (next, hello) = await Coordinator.WelcomeAsync();
        Assert.That((hello.Draining, hello.Running), Is.EqualTo((true, new[] { Id("long") })));
        Assert.That((await next.NextAsync()).MessageCase, Is.EqualTo(WorkerMessage.MessageOneofCase.DrainRequested), "before what it gives back");
        Assert.That((await next.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("long")));
        next.Complete();
        await Running;
    }
}
