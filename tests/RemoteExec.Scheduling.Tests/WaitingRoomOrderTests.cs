using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>The order of the queue holds across waiting rooms, as far as those who begin on their own can be held to it.</summary>
[TestFixture]
internal sealed class WaitingRoomOrderTests : QueueFixture
{
    private long _first;
    private long _second;

    /// <summary>Two workers with a slot and a place in the room each, and so many actions: 1 and 3 at w1, 2 and 4 at w2, the others in line.</summary>
    private Operation[] TwoRooms(int actions)
    {
        _first = Join(Build.Worker("w1") with { Prefetch = 1 });
        _second = Join(Build.Worker("w2") with { Prefetch = 1 });
        var operations = Enumerable.Range(1, actions).Select(action => Submit(Build.Request(action))).ToArray();
        Assert.That(
            operations.Take(4).Select(operation => (operation.Execution.WorkerId, operation.Execution.IsAhead)),
            Is.EqualTo(new[] { ("w1", false), ("w2", false), ("w1", true), ("w2", true) }));
        Told();
        return operations;
    }

    [Test]
    public void What_waits_behind_something_long_is_passed_for_a_round_and_no_longer()
    {
        var operations = TwoRooms(7);
        var waiting = operations[2].Execution;
        End(operations[1]);
        End(operations[3]);
        Assert.That(operations[5].Execution.State, Is.EqualTo(ExecutionState.Queued), "nothing more is handed out ahead of it");
        Told();

        End(operations[4]);
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(waiting.LeaseId)]));
        Queue.HandBack("w1", _first, waiting.LeaseId, Now);
        Assert.That((waiting.Holder?.Id, waiting.IsAhead), Is.EqualTo(("w2", false)));
        Assert.That((operations[5].Execution.IsAhead, operations[6].Execution.IsAhead), Is.EqualTo((true, true)), "and then the rooms are filled again");
    }

    [Test]
    public void What_begins_before_the_report_of_the_one_before_counts_as_well()
    {
        var operations = TwoRooms(7);
        foreach (int next in new[] { 3, 4 })
        {
            Queue.Started("w2", _second, operations[next].Execution.LeaseId, waited: TimeSpan.Zero, Now);
            End(operations[next == 3 ? 1 : 3]);
        }

        Assert.That((operations[2].Execution.IsPassed, operations[5].Execution.State), Is.EqualTo((true, ExecutionState.Queued)));
    }

    [Test]
    public void What_is_more_urgent_is_passed_only_once()
    {
        _first = Join(Build.Worker("w1") with { Prefetch = 1 });
        _second = Join(Build.Worker("w2") with { Prefetch = 1 });
        var operations = Enumerable.Range(1, 3).Select(action => Submit(Build.Request(action))).ToArray();
        var urgent = Submit(Build.Request(4) with { Priority = -1 }).Execution;
        Assert.That((urgent.WorkerId, urgent.IsAhead), Is.EqualTo(("w2", true)));
        var last = Submit(Build.Request(5)).Execution;
        End(operations[0]);
        Assert.That(last.State, Is.EqualTo(ExecutionState.Queued));
        Told();

        End(operations[2]);
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(urgent.LeaseId)]));
    }

    [Test]
    public void What_is_overtaken_inside_its_worker_is_in_line_again_and_goes_where_a_slot_is_free()
    {
        long session = Join(Build.Worker("w1") with { Prefetch = 1 });
        var (large, small) = (Submit(Build.Request(1)).Execution, Submit(Build.Request(2)).Execution);
        Queue.Started("w1", session, small.LeaseId, waited: TimeSpan.Zero, Now);
        Assert.That((large.IsAhead, small.State), Is.EqualTo((true, ExecutionState.Running)));
        Told();

        Join(Build.Worker("w2"));
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(large.LeaseId)]));
    }

    [Test]
    public void What_waited_when_its_worker_was_cut_off_waits_when_it_is_back()
    {
        var operations = TwoRooms(4);
        var (running, waiting) = (operations[0].Execution, operations[2].Execution);
        Queue.Started("w1", _first, running.LeaseId, waited: TimeSpan.Zero, Now);
        Queue.Disconnected("w1", _first, Now);
        _first = Join(Back(running, waiting));
        Assert.That((waiting.State, waiting.IsAhead, operations[2].ToSnapshot().Stage), Is.EqualTo((ExecutionState.Leased, true, OperationStage.Queued)));

        Advance(TimeSpan.FromSeconds(5));
        Queue.Started("w1", _first, waiting.LeaseId, waited: TimeSpan.FromSeconds(4), Now);
        Assert.That(Queue.FindLease(waiting.LeaseId)!.InLine, Is.EqualTo(TimeSpan.FromSeconds(4)));
    }

    [Test]
    public void What_waits_at_a_worker_at_a_restart_can_be_called_back_after_it()
    {
        _first = Join(Build.Worker("w1") with { Prefetch = 1 });
        var (running, waiting) = (Submit(Build.Request(1)).Execution, Submit(Build.Request(2)).Execution);
        var records = Queue.TakeTransitions().Records;
        NewQueue();
        Queue.Recover(records, Now);
        Join(Back(running, waiting));
        Told();

        Join(Build.Worker("w2"));
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(waiting.LeaseId)]));
    }

    [Test]
    public void How_long_it_waited_may_be_said_after_the_hello()
    {
        _first = Join(Build.Worker("w1"));
        var execution = Submit(Build.Request()).Execution;
        Advance(TimeSpan.FromSeconds(3));
        Queue.Disconnected("w1", _first, Now);
        _first = Join(Build.Worker("w1") with { Running = [execution.LeaseId] });
        Queue.Started("w1", _first, execution.LeaseId, waited: TimeSpan.FromSeconds(2), Now);

        Assert.That(execution.WaitedThere, Is.EqualTo(TimeSpan.FromSeconds(2)));
    }

    [Test]
    public void Who_does_not_answer_is_not_asked_for_the_next_until_it_has_answered()
    {
        _first = Join(Build.Worker("w1") with { Prefetch = 3 });
        var operations = Enumerable.Range(1, 4).Select(action => Submit(Build.Request(action)).Execution).ToArray();
        long second = Join(Build.Worker("w2"));
        Told();
        KeepAlive(second, Options.RecallAnswerMax, "w2");
        Assert.That(Told().OfType<WorkerCommand.RecallLease>(), Is.Empty);

        // The answer was late, and is taken for one: nothing waits for it to be done with.
        Queue.HandBack("w1", _first, operations[1].LeaseId, Now);
        Assert.That((operations[1].Holder?.Id, operations[1].Losses, operations[1].Lost[^1].Reason), Is.EqualTo(("w2", 0, "it was called back before it began")));
        Told();
        Queue.Report("w2", operations[1].LeaseId, Build.Ok(), Now);
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(operations[2].LeaseId)]));
    }

    [Test]
    public void Where_one_does_not_come_another_gives_way_to_the_urgent()
    {
        var operations = TwoRooms(4);
        Submit(Build.Request(5) with { Priority = -1 });
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(operations[3].Execution.LeaseId)]));

        Queue.Started("w2", _second, operations[3].Execution.LeaseId, waited: TimeSpan.Zero, Now);
        Assert.That(Told(), Is.EqualTo([new WorkerCommand.RecallLease(operations[2].Execution.LeaseId)]));
    }

    [Test]
    public void What_is_called_back_was_no_attempt()
    {
        _first = Join(Build.Worker("w1") with { Prefetch = 1 });
        Submit(Build.Request(1));
        var waiting = Submit(Build.Request(2)).Execution;
        Join(Build.Worker("w2"));
        Queue.HandBack("w1", _first, waiting.LeaseId, Now);
        Assert.That((waiting.Attempt, Queue.FindLease(waiting.LeaseId)?.Tries), Is.EqualTo((2, 1)));
        Assert.That(Queue.TakeTransitions().Effects.OfType<Effect.AttemptLost>(), Is.Empty);

        Queue.Report("w2", waiting.LeaseId, Build.Broken(), Now);
        Assert.That(Queue.TakeTransitions().Effects.OfType<Effect.AttemptLost>().Count(), Is.EqualTo(1));
        WaitOut();
        Queue.Report(waiting.Holder!.Id, waiting.LeaseId, Build.Ok(), Now);
        Assert.That((waiting.Attempt, PublishEnded().Single().Tries), Is.EqualTo((3, 2)));
    }

    [Test]
    public void A_worker_is_told_where_a_lease_stands_in_the_queue()
    {
        Submit(Build.Request(1) with { Priority = 2 });
        Submit(Build.Request(1) with { Priority = -5 });
        var nobodys = Submit(Build.Request(2) with { Priority = -9 });
        Unwatch(nobodys, isCancelled: false);
        Join(Build.Worker("w1", slots: 2));

        Assert.That(Offered().Select(lease => (lease.Request.Action, lease.Priority)), Is.EqualTo(new[] { (Build.Digest(1), -5), (Build.Digest(2), int.MaxValue) }));
    }

    [Test]
    public async Task Who_looks_is_shown_what_waits_at_a_worker()
    {
        await using var scheduler = new Scheduler(new SchedulerOptions(), new MemoryOperationJournal(), new ManualTime(), (_, _) => ValueTask.CompletedTask);
        await scheduler.StartAsync(default);
        await using var worker = scheduler.Join(Build.Worker() with { Prefetch = 1 });
        using var running = await scheduler.SubmitAsync(Build.Request(1), default);
        using var waiting = await scheduler.SubmitAsync(Build.Request(2), default);
        using var joined = await scheduler.SubmitAsync(Build.Request(2), default);

        Assert.That(scheduler.ListLive(3).Select(operation => operation.IsAhead), Is.EqualTo([false, true, true]));
        Assert.That(scheduler.FindLive(joined.Current.Execution)?.IsAhead, Is.True);
    }

    private void End(Operation operation)
    {
        var execution = operation.Execution;
        Queue.Report(execution.WorkerId!, execution.LeaseId, Build.Ok(), Now); // given to one
    }

    private static WorkerDescription Back(Execution running, Execution waiting) =>
        Build.Worker("w1") with { Prefetch = 1, Running = [running.LeaseId, waiting.LeaseId], Waiting = [waiting.LeaseId] };
}
