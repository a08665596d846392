using NUnit.Framework;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

/// <summary>The coordinator has a better place for what waits here.</summary>
public sealed class WorkerRecallTests : WorkerLoopFixture
{
    [Test]
    public async Task What_has_not_started_is_given_back_and_forgotten_when_the_coordinator_has_it()
    {
        Slots = new TaskCompletionSource();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("waiting"));
        await stream.RecallAsync(Id("waiting"));
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("waiting")));
        await stream.CancelAsync(Id("waiting"));
        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("waiting")));

        // Nothing of it is known any more: it may come again.
        Slots = null;
        await RunAsync(stream, "waiting");
        Finish("waiting");
        await Coordinator.TakeReportAsync();
        await LeaveAsync(stream);
    }

    [Test]
    public async Task What_has_started_goes_on()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "running");
        await stream.RecallAsync(Id("running"));
        await stream.RecallAsync(Id("unknown"));
        await RunAsync(stream, "next"); // so the ones before were heard

        Finish("running");
        Assert.That((await Coordinator.TakeReportAsync()).Lease, Is.EqualTo(Id("running")));
        Finish("next");
        await Coordinator.TakeReportAsync();
        await LeaveAsync(stream);
    }

    [Test]
    public async Task The_hello_says_what_has_not_begun_and_what_begins_after_it_is_said_on_the_new_line()
    {
        var (stream, _) = await Coordinator.WelcomeAsync();
        await RunAsync(stream, "running");
        Slots = new TaskCompletionSource();
        await stream.LeaseAsync(Id("waiting"));
        await stream.RecallAsync(Id("unknown")); // so the one before was heard
        await stream.CancelAsync(Id("unknown"));
        Assert.That((await stream.NextAsync()).LeaseStopped?.Lease, Is.EqualTo(Id("unknown")));
        stream.Complete(Failure());

        var (again, hello) = await Coordinator.WelcomeAsync();
        Assert.That((hello.Running, hello.Waiting), Is.EqualTo((new[] { Id("running"), Id("waiting") }, new[] { Id("waiting") })));
        Assert.That((await again.NextAsync()).LeaseStarted?.Lease, Is.EqualTo(Id("running")), "how long it waited no hello says");
        Slots.SetResult();
        Assert.That((await again.NextAsync()).LeaseStarted?.Lease, Is.EqualTo(Id("waiting")));
        foreach (string each in new[] { "running", "waiting" })
        {
            Finish(each);
            await Coordinator.TakeReportAsync();
        }

        await LeaveAsync(again);
    }

    [Test]
    public async Task What_was_given_back_on_a_line_that_broke_is_given_back_again()
    {
        Slots = new TaskCompletionSource();
        var (stream, _) = await Coordinator.WelcomeAsync();
        await stream.LeaseAsync(Id("waiting"));
        await stream.RecallAsync(Id("waiting"));
        Assert.That((await stream.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("waiting")));
        stream.Complete(Failure());

        var (again, hello) = await Coordinator.WelcomeAsync();
        Assert.That(hello.Running, Is.EqualTo(new[] { Id("waiting") }));
        Assert.That((await again.NextAsync()).LeaseReturned?.Lease, Is.EqualTo(Id("waiting")));
        await LeaveAsync(again);
    }
}
