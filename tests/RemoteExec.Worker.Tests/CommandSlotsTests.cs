using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

/// <summary>Who waits for a slot is served in the order of the coordinator's queue.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public sealed class CommandSlotsTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly CommandSlots _slots = new(1);

    [Test]
    public async Task The_urgent_are_first_then_those_who_were_asked_for_earlier()
    {
        await TakeAsync(0, 0);
        var (late, early, urgent) = (TakeAsync(0, 2), TakeAsync(0, 1), TakeAsync(-1, 3));
        foreach (var (next, others) in new[] { (urgent, new[] { early, late }), (early, [late]), (late, []) })
        {
            _slots.Release();
            await next;
            Assert.That(others.Any(other => other.IsCompleted), Is.False);
        }
    }

    [Test]
    public async Task Who_gives_up_is_passed_over()
    {
        using var cancellation = new CancellationTokenSource();
        await TakeAsync(0, 0);
        var leaver = _slots.TakeAsync(-1, Noon, cancellation.Token);
        var stayer = TakeAsync(0, 1);
        await cancellation.CancelAsync();
        Assert.That(async () => await leaver, Throws.InstanceOf<OperationCanceledException>());

        _slots.Release();
        await stayer;
        _slots.Release();
        await TakeAsync(0, 2);
    }

    [Test]
    public async Task Who_gives_up_leaves_nothing_behind()
    {
        using var cancellation = new CancellationTokenSource();
        await TakeAsync(0, 0);
        var leavers = Enumerable.Range(0, 100).Select(_ => _slots.TakeAsync(0, Noon, cancellation.Token)).ToArray();
        var stayer = TakeAsync(0, 1);
        Assert.That(_slots.Waiting, Is.EqualTo(101));
        await cancellation.CancelAsync();
        foreach (var leaver in leavers) Assert.That(async () => await leaver, Throws.InstanceOf<OperationCanceledException>());
        Assert.That(_slots.Waiting, Is.EqualTo(1));

        _slots.Release();
        await stayer;
    }

    private Task TakeAsync(int priority, int second) => _slots.TakeAsync(priority, Noon.AddSeconds(second), CancellationToken.None);
}
