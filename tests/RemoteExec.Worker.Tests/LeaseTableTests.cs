using NUnit.Framework;

namespace RemoteExec.Worker.Tests;

/// <summary>A drain and a slot that becomes free come at the same time: one of them is first.</summary>
public sealed class LeaseTableTests
{
    private readonly LeaseTable _leases = new();

    [Test]
    public void What_has_started_goes_on_and_what_has_not_never_starts()
    {
        var (started, waiting) = (Add("started"), Add("waiting"));
        Assert.That(_leases.Start(started));

        Assert.That(_leases.StartNoMore(), Is.EqualTo([waiting]));

        Assert.That(_leases.Start(waiting), Is.False);
        Assert.That(_leases.Start(started), "that was decided");
        Assert.That(_leases.Start(Add("late")), Is.False);
    }

    [Test]
    public async Task A_worker_is_done_when_whatever_it_holds_was_given_back()
    {
        Assert.That(_leases.WhenDone().IsCompleted);
        var (running, waiting) = (Add("running"), Add("waiting"));
        var done = _leases.WhenDone();

        _leases.Move(waiting, LeaseState.Returned);
        _leases.Move(running, LeaseState.Owed);
        Assert.That((done.IsCompleted, _leases.IsDone), Is.EqualTo((false, false)));
        _leases.Forget(running);
        await done;
        Assert.That((_leases.IsDone, _leases.IsEmpty), Is.EqualTo((true, false)));
        _leases.Forget(waiting);
        Assert.That(_leases.IsEmpty);
    }

    private HeldLease Add(string execution) => _leases.Add(new LeaseKey(execution, 1))!; // each name once
}
