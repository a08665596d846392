using System.Text;
using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

[TestFixture]
internal sealed class SchedulerTests
{
    private ManualTime _time = null!;
    private Scheduler _scheduler = null!;
    private Func<CompletedExecution, CancellationToken, ValueTask> _onCompleted = null!;

    [SetUp]
    public async Task SetUp()
    {
        _time = new ManualTime();
        _onCompleted = (_, _) => ValueTask.CompletedTask;
        _scheduler = new Scheduler(
            new SchedulerOptions(), new MemoryOperationJournal(), _time, (completed, token) => _onCompleted(completed, token));
        await _scheduler.StartAsync(default);
    }

    [TearDown]
    public async Task TearDown() => await _scheduler.DisposeAsync();

    [Test]
    public async Task An_action_travels_from_the_client_to_a_worker_and_back()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        Assert.That(feed.Current.Stage, Is.EqualTo(OperationStage.Queued));
        Assert.That(feed.Name, Does.Match("^operations/[0-9a-f]{32}$"));

        var lease = await NextLease(worker);
        worker.Started(lease.Id);
        var verdict = await _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok("hello"), default);
        var end = await feed.WaitAsync(default);

        Assert.That(verdict, Is.EqualTo(ReportVerdict.Accepted));
        Assert.That(Encoding.UTF8.GetString(end.Outcome!.Response.Span), Is.EqualTo("hello"));
        Assert.That(end.WorkerId, Is.EqualTo("w1"));
        Assert.That(end.Attempt, Is.EqualTo(1));
    }

    [Test]
    public async Task The_first_state_of_a_feed_is_there_at_once_and_the_last_is_done()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        var stages = new List<OperationStage>();
        await foreach (var operation in feed.ReadAllAsync(Timeout.InfiniteTimeSpan, default))
        {
            stages.Add(operation.Stage);
            if (operation.Stage == OperationStage.Queued)
                worker.Started((await NextLease(worker)).Id);
            if (operation.Stage == OperationStage.Executing)
                await _scheduler.ReportAsync(worker.WorkerId, new LeaseId(operation.Execution, operation.Attempt), Build.Ok(), default);
        }

        Assert.That(stages, Is.EqualTo(new[] { OperationStage.Queued, OperationStage.Executing, OperationStage.Completed }));
    }

    [Test]
    public async Task A_silent_feed_says_the_same_again_after_the_beat()
    {
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        await using var states = feed.ReadAllAsync(TimeSpan.FromSeconds(20), default).GetAsyncEnumerator();
        await states.MoveNextAsync();

        var again = states.MoveNextAsync();
        Assert.That(again.IsCompleted, Is.False);
        _time.Advance(TimeSpan.FromSeconds(20));

        Assert.That(await again, Is.True);
        Assert.That(states.Current.Stage, Is.EqualTo(OperationStage.Queued));
    }

    [Test]
    public async Task The_completion_hook_runs_before_waiters_know_and_equal_requests_join_until_it_is_over()
    {
        var hookEntered = new TaskCompletionSource<CompletedExecution>(TaskCreationOptions.RunContinuationsAsynchronously);
        var hookMayEnd = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _onCompleted = async (completed, _) =>
        {
            hookEntered.SetResult(completed);
            await hookMayEnd.Task;
        };
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        var lease = await NextLease(worker);
        await _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default);

        var completed = await hookEntered.Task;
        Assert.That(completed.Outcome.IsCacheWorthy, Is.True);
        Assert.That(feed.Current.IsDone, Is.False);
        using var late = await _scheduler.SubmitAsync(Build.Request(), default);
        Assert.That(late.Current.Execution, Is.EqualTo(feed.Current.Execution));

        hookMayEnd.SetResult();
        Assert.That((await feed.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
        Assert.That((await late.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));

        using var next = await _scheduler.SubmitAsync(Build.Request(), default);
        Assert.That(next.Current.Execution, Is.Not.EqualTo(feed.Current.Execution));
    }

    [Test]
    public async Task A_hook_that_fails_costs_the_cache_entry_but_not_the_result()
    {
        _onCompleted = (_, _) => throw new IOException("the cache disk is full");
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        await _scheduler.ReportAsync(worker.WorkerId, (await NextLease(worker)).Id, Build.Ok(), default);

        Assert.That((await feed.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
    }

    [Test]
    public async Task A_finished_operation_can_be_watched_until_its_retention_is_over()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        await _scheduler.ReportAsync(worker.WorkerId, (await NextLease(worker)).Id, Build.Ok(), default);
        await feed.WaitAsync(default);

        using (var again = _scheduler.Watch(feed.Name))
            Assert.That((await again!.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));

        _time.Advance(_scheduler.Options.FinishedRetention + TimeSpan.FromSeconds(1));
        await Settled();
        Assert.That(_scheduler.Watch(feed.Name), Is.Null);
        Assert.That(_scheduler.List(), Is.Empty);
    }

    [Test]
    public async Task Cancelling_ends_the_operation_and_stops_the_worker()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        var lease = await NextLease(worker);

        Assert.That(await _scheduler.CancelAsync(feed.Name, default), Is.True);
        Assert.That((await feed.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Cancelled));
        Assert.That(await worker.Commands.ReadAsync(), Is.InstanceOf<WorkerCommand.CancelLease>());
        Assert.That(await _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default), Is.EqualTo(ReportVerdict.Stale));
        Assert.That(await _scheduler.CancelAsync(feed.Name, default), Is.True, "cancelling is idempotent");
        Assert.That(await _scheduler.CancelAsync("operations/unknown", default), Is.False);
    }

    [Test]
    public async Task Deleting_wants_an_operation_that_is_done()
    {
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        var refusal = Assert.ThrowsAsync<SchedulingException>(async () => await _scheduler.DeleteAsync(feed.Name, default));
        Assert.That(refusal!.Code, Is.EqualTo(OutcomeCode.FailedPrecondition));

        await _scheduler.CancelAsync(feed.Name, default);
        await feed.WaitAsync(default);
        Assert.That(await _scheduler.DeleteAsync(feed.Name, default), Is.True);
        Assert.That(_scheduler.Find(feed.Name), Is.Null);
        Assert.That(await _scheduler.DeleteAsync(feed.Name, default), Is.False);
    }

    [Test]
    public async Task A_drain_leases_nothing_more_and_all_else_goes_on()
    {
        await using var worker = _scheduler.Join(Build.Worker(slots: 4));
        using var running = await _scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        _scheduler.BeginDrain();

        using var queued = await _scheduler.SubmitAsync(Build.Request(2), default);
        await using var other = _scheduler.Join(Build.Worker("w2"));
        Assert.That(queued.Current.Stage, Is.EqualTo(OperationStage.Queued));
        Assert.That((worker.Commands.TryPeek(out _), other.Commands.TryPeek(out _)), Is.EqualTo((false, false)));
        Assert.That(_scheduler.WhenIdle.IsCompleted, Is.False);

        using var again = _scheduler.Watch(running.Name);
        await _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default);
        Assert.That((await again!.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
        await _scheduler.WhenIdle;
        Assert.That(await _scheduler.CancelAsync(queued.Name, default));
        Assert.That((await queued.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Cancelled));
    }

    [Test]
    public async Task A_drain_of_an_idle_queue_is_over_at_once()
    {
        using var queued = await _scheduler.SubmitAsync(Build.Request(), default);
        _scheduler.BeginDrain();

        await _scheduler.WhenIdle;
        Assert.That(queued.Current.IsDone, Is.False);
    }

    [Test]
    public async Task F17_who_looks_again_only_when_the_retention_is_over_still_sees_the_end()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        await using var states = feed.ReadAllAsync(Timeout.InfiniteTimeSpan, default).GetAsyncEnumerator();
        Assert.That(await states.MoveNextAsync());
        using (var other = _scheduler.Watch(feed.Name)!)
        {
            await _scheduler.ReportAsync(worker.WorkerId, (await NextLease(worker)).Id, Build.Ok("told"), default);
            await other.WaitAsync(default);
        }

        _time.Advance(_scheduler.Options.FinishedRetention + TimeSpan.FromSeconds(1));
        await Settled();
        Assert.That(_scheduler.Find(feed.Name), Is.Null);

        Assert.That(await states.MoveNextAsync());
        Assert.That(states.Current.Outcome?.Code, Is.EqualTo(OutcomeCode.Ok));
        Assert.That(await states.MoveNextAsync(), Is.False);
    }

    [Test]
    public async Task A_page_of_what_lives_costs_the_same_however_much_waits()
    {
        async Task<long> CostAsync(int actions)
        {
            for (int action = _scheduler.List().Count; action < actions; action++) await _scheduler.SubmitAsync(Build.Request(action), default);
            _scheduler.ListLive(10); // compiles
            _scheduler.Snapshot();
            long before = GC.GetAllocatedBytesForCurrentThread();
            _scheduler.ListLive(10);
            _scheduler.Snapshot();
            return GC.GetAllocatedBytesForCurrentThread() - before;
        }

        // Whoever copies, sorts or looks through what waits allocates for it: a sorted set is walked with a stack as deep as it is.
        long few = await CostAsync(10);
        Assert.That(await CostAsync(10_000), Is.LessThanOrEqualTo(few));
    }

    [Test]
    public async Task Nobody_is_refused_for_want_of_workers_that_leave_with_the_coordinator()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        _scheduler.BeginDrain();
        worker.RequestDrain();
        using var queued = await _scheduler.SubmitAsync(Build.Request(), default);
        _time.Advance(_scheduler.Options.UnsatisfiableMax * 2);
        await Settled();

        Assert.That(queued.Current.IsDone, Is.False);
    }

    [Test]
    public async Task A_worker_that_takes_nothing_of_what_it_is_told_ends_like_one_that_is_gone()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        LeaseId[] strays = [.. Enumerable.Range(1, WorkerSession.CommandsMax + 2).Select(number => new LeaseId(new ExecutionId((UInt128)number), 1))];
        worker.Heartbeat(strays);
        await Settled();

        int told = 0;
        while (worker.Commands.TryRead(out _)) told++;
        await worker.Commands.Completion;
        Assert.That(told, Is.EqualTo(WorkerSession.CommandsMax + 1));
    }

    [Test]
    public async Task Feeds_end_with_UNAVAILABLE_when_they_must_and_a_finished_one_with_its_result()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var done = await _scheduler.SubmitAsync(Build.Request(1), default);
        await _scheduler.ReportAsync(worker.WorkerId, (await NextLease(worker)).Id, Build.Ok(), default);
        await done.WaitAsync(default);
        using var open = await _scheduler.SubmitAsync(Build.Request(2), default);
        var waiting = open.WaitAsync(default).AsTask();
        _scheduler.EndFeeds();

        foreach (var refusal in new[]
        {
            Assert.ThrowsAsync<SchedulingException>(() => waiting),
            Assert.ThrowsAsync<SchedulingException>(async () => await _scheduler.SubmitAsync(Build.Request(3), default)),
            Assert.Throws<SchedulingException>(() => _scheduler.Watch(open.Name)),
        })
        {
            Assert.That((refusal!.Code, refusal.RetryAfter), Is.EqualTo((OutcomeCode.Unavailable, TimeSpan.FromSeconds(1))));
        }

        Assert.That((await done.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
    }

    [Test]
    public async Task A_report_needs_no_stream()
    {
        var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(), default);
        var lease = await NextLease(worker);
        await worker.DisposeAsync();

        Assert.That(_scheduler.FindLease(lease.Id)!.WorkerId, Is.EqualTo("w1"));
        Assert.That(await _scheduler.ReportAsync("w2", lease.Id, Build.Ok(), default), Is.EqualTo(ReportVerdict.Stale), "somebody else's lease");
        Assert.That(await _scheduler.ReportAsync("w1", lease.Id, Build.Ok(), default), Is.EqualTo(ReportVerdict.Accepted));
        Assert.That(await _scheduler.ReportAsync("w1", lease.Id, Build.Broken(), default), Is.EqualTo(ReportVerdict.Stale), "the same again");
        Assert.That((await feed.WaitAsync(default)).Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
        Assert.That(_scheduler.FindLease(lease.Id), Is.Null);
    }

    [Test]
    public async Task Only_the_operations_of_one_instance_are_listed()
    {
        Assert.That(Core.InstanceName.TryParse("main", out var main, out _));
        using var ours = await _scheduler.SubmitAsync(Build.Request() with { Instance = main }, default);
        using var theirs = await _scheduler.SubmitAsync(Build.Request(), default);

        Assert.That(_scheduler.List(main).Single().Name, Is.EqualTo(ours.Name));
        Assert.That(_scheduler.List(Core.InstanceName.Empty).Single().Name, Is.EqualTo(theirs.Name));
    }

    [Test]
    public async Task A_worker_that_wants_to_leave_finishes_and_is_let_go()
    {
        await using var worker = _scheduler.Join(Build.Worker(slots: 2));
        using var first = await _scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        worker.RequestDrain();
        using var second = await _scheduler.SubmitAsync(Build.Request(2), default);
        await _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default);

        Assert.That(await worker.Commands.ReadAsync(), Is.InstanceOf<WorkerCommand.End>());
        Assert.That(await worker.Commands.WaitToReadAsync(), Is.False);
        Assert.That(second.Current.Stage, Is.EqualTo(OperationStage.Queued));
        Assert.That(_scheduler.Snapshot().Workers, Is.Empty);
    }

    private static IEnumerable<Exception> Failures() =>
        [new JournalException("the disk is on fire"), new TimeZoneNotFoundException("no one thought of this, and the disk is on fire")];

    [TestCaseSource(nameof(Failures))]
    public async Task After_a_journal_failure_nobody_is_told_anything_but_that(Exception failure)
    {
        await using var scheduler = new Scheduler(new SchedulerOptions(), new FailingJournal(appendsBefore: 2, failure), _time);
        await scheduler.StartAsync(default);
        using var feed = await scheduler.SubmitAsync(Build.Request(1), default);
        await using var worker = scheduler.Join(Build.Worker());

        var refusal = Assert.ThrowsAsync<SchedulingException>(async () => await scheduler.SubmitAsync(Build.Request(2), default));
        Assert.That(refusal!.Code, Is.EqualTo(OutcomeCode.Unavailable));
        Assert.That(refusal.Message, Does.Contain("disk is on fire"));
        Assert.ThrowsAsync<SchedulingException>(async () => await feed.WaitAsync(default));
        Assert.ThrowsAsync<SchedulingException>(async () => await scheduler.SubmitAsync(Build.Request(3), default));
        Assert.That(scheduler.Fault, Does.Contain("disk is on fire"));
        Assert.That(scheduler.List(), Has.Count.EqualTo(1), "what was not durable is not to be found");
        scheduler.BeginDrain();
        await scheduler.WhenIdle;
    }

    [Test]
    public async Task While_the_journal_waits_for_room_nothing_is_acknowledged_and_nobody_is_given_up()
    {
        var journal = new StallingJournal();
        var faults = new List<string?>();
        await using var scheduler = new Scheduler(new SchedulerOptions { AbandonedGrace = TimeSpan.FromSeconds(1) }, journal, _time, onFaultChanged: faults.Add);
        await scheduler.StartAsync(default);
        await using var worker = scheduler.Join(Build.Worker());
        using var feed = await scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);

        journal.Stall("the disk is full");
        var finishing = scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok("late"), default).AsTask();
        var refused = Assert.ThrowsAsync<SchedulingException>(async () => await scheduler.SubmitAsync(Build.Request(2), default));
        // Far beyond the silence that would lose the worker.
        _time.Advance(TimeSpan.FromHours(1));

        Assert.That((refused!.Code, refused.Message), Is.EqualTo((OutcomeCode.Unavailable, "the disk is full")));
        Assert.That(scheduler.Fault, Is.EqualTo("the disk is full"));
        Assert.That(finishing.IsCompleted, Is.False);
        Assert.That(feed.Current.IsDone, Is.False);
        Assert.That(scheduler.Snapshot().Workers, Has.Count.EqualTo(1));

        journal.GoOn();
        Assert.That(await finishing, Is.EqualTo(ReportVerdict.Accepted));
        Assert.That(Encoding.UTF8.GetString((await feed.WaitAsync(default)).Outcome!.Response.Span), Is.EqualTo("late"));
        Assert.That(scheduler.Snapshot().Workers, Has.Count.EqualTo(1), "it was we who did not listen");
        using var accepted = await scheduler.SubmitAsync(Build.Request(2), default);
        Assert.That(faults, Is.EqualTo(new[] { "the disk is full", null }));
    }

    [Test]
    public async Task A_shutdown_does_not_wait_for_room_for_ever()
    {
        var journal = new StallingJournal();
        var scheduler = new Scheduler(new SchedulerOptions(), journal, _time);
        await scheduler.StartAsync(default);
        await using var worker = scheduler.Join(Build.Worker());
        using var feed = await scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        journal.Stall("the disk is full");
        var waiting = scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();

        var ending = scheduler.DisposeAsync().AsTask();
        while (!ending.IsCompleted)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            await Task.Yield();
        }

        await ending;
        Assert.That(waiting.IsCompleted, Is.False, "what is not durable is not acknowledged");
    }

    [Test]
    public async Task A_shutdown_waits_for_a_disk_that_does_not_answer_as_long_as_it_is_told_and_no_longer()
    {
        var journal = new StallingJournal();
        var scheduler = new Scheduler(new SchedulerOptions(), journal, _time);
        await scheduler.StartAsync(default);
        await using var worker = scheduler.Join(Build.Worker());
        using var feed = await scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        journal.Wait(); // and nobody says why
        var waiting = scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();
        using var patience = new CancellationTokenSource();

        var ending = scheduler.StopAsync(patience.Token);
        Assert.That(ending.IsCompleted, Is.False);
        await patience.CancelAsync();

        await ending.WaitAsync(TimeSpan.FromMinutes(1)); // a hang becomes a failure
        Assert.That(waiting.IsCompleted, Is.False, "what is not durable is not acknowledged");
    }

    [Test]
    public async Task A_wait_of_years_is_one()
    {
        await using var scheduler = new Scheduler(new SchedulerOptions { UnsatisfiableMax = TimeSpan.FromDays(3650) }, new StallingJournal(), _time);
        await scheduler.StartAsync(default);
        using var feed = await scheduler.SubmitAsync(Build.Request(1, "OSFamily=plan9"), default);

        _time.Advance(TimeSpan.FromDays(3649));
        Assert.That(feed.Current.IsDone, Is.False);
        _time.Advance(TimeSpan.FromDays(1));
        Assert.That((await feed.WaitAsync(default)).Outcome?.Code, Is.EqualTo(OutcomeCode.Unavailable), "there is no worker at all");
    }

    [Test]
    public async Task A_wait_of_years_is_more_than_a_timer_takes_at_once()
    {
        await using var scheduler = new Scheduler(
            new SchedulerOptions { UnsatisfiableMax = TimeSpan.FromDays(3650) }, new StallingJournal(), TimeProvider.System);
        await scheduler.StartAsync(default);

        using var feed = await scheduler.SubmitAsync(Build.Request(1, "OSFamily=plan9"), default);
        Assert.That(feed.Current.IsDone, Is.False);
    }

    [Test]
    public async Task What_was_acknowledged_is_there_after_a_restart()
    {
        var journal = new MemoryOperationJournal();
        string queued, done;
        await using (var before = new Scheduler(new SchedulerOptions(), journal, _time))
        {
            await before.StartAsync(default);
            await using var worker = before.Join(Build.Worker());
            using var first = await before.SubmitAsync(Build.Request(1), default);
            await before.ReportAsync(worker.WorkerId, (await NextLease(worker)).Id, Build.Ok("one"), default);
            await first.WaitAsync(default);
            worker.RequestDrain();
            using var second = await before.SubmitAsync(Build.Request(2), default);
            (done, queued) = (first.Name, second.Name);
        }

        await using var after = new Scheduler(new SchedulerOptions(), journal, _time);
        await after.StartAsync(default);
        using var doneFeed = after.Watch(done);
        Assert.That(Encoding.UTF8.GetString((await doneFeed!.WaitAsync(default)).Outcome!.Response.Span), Is.EqualTo("one"));

        using var queuedFeed = after.Watch(queued);
        await using var other = after.Join(Build.Worker("w2"));
        await after.ReportAsync(other.WorkerId, (await NextLease(other)).Id, Build.Ok("two"), default);
        Assert.That(Encoding.UTF8.GetString((await queuedFeed!.WaitAsync(default)).Outcome!.Response.Span), Is.EqualTo("two"));
    }

    [TestCase(1)]
    [TestCase(-1)]
    public async Task A_step_of_the_wall_clock_neither_loses_a_worker_nor_keeps_a_dead_one(int hours)
    {
        var time = new SteppedTime(_time);
        await using var scheduler = new Scheduler(new SchedulerOptions(), new MemoryOperationJournal(), time);
        await scheduler.StartAsync(default);
        await using var worker = scheduler.Join(Build.Worker());
        using var feed = await scheduler.SubmitAsync(Build.Request(), default);
        var lease = await NextLease(worker);
        time.Step(TimeSpan.FromHours(hours));
        for (int beat = 0; beat < 10; beat++)
        {
            _time.Advance(scheduler.Options.HeartbeatInterval);
            worker.Heartbeat([lease.Id]);
        }

        Assert.That(scheduler.FindLease(lease.Id), Is.Not.Null);
        _time.Advance(scheduler.Options.WorkerSilenceMax);
        Assert.That(scheduler.FindLease(lease.Id), Is.Null);
    }

    [Test]
    public async Task Who_is_lost_before_the_end_is_told_and_who_cancels_or_is_sent_away_is_not()
    {
        var lost = new List<string>();
        await using var scheduler = new Scheduler(
            new SchedulerOptions { ClientLost = operation => lost.Add(operation.Name) }, new MemoryOperationJournal(), _time);
        await scheduler.StartAsync(default);
        var feed = await scheduler.SubmitAsync(Build.Request(1), default);
        var second = scheduler.Watch(feed.Name)!;
        feed.Dispose();
        Assert.That(lost, Is.Empty, "it watches by another stream");
        second.Dispose();
        (await scheduler.SubmitAsync(Build.Request(2), () => true, default)).Dispose();
        var sentAway = await scheduler.SubmitAsync(Build.Request(3), default);
        scheduler.BeginDrain();
        sentAway.Dispose();

        Assert.That(lost, Is.EqualTo(new[] { feed.Name }));
    }

    [Test]
    public async Task What_lives_is_listed_in_the_order_in_which_it_was_accepted()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        var feeds = new List<OperationFeed>();
        for (int action = 1; action <= 5; action++) feeds.Add(await _scheduler.SubmitAsync(Build.Request(action), default));
        await _scheduler.ReportAsync(worker.WorkerId, (await NextLease(worker)).Id, Build.Ok(), default);
        await feeds[0].WaitAsync(default);

        Assert.That(_scheduler.ListLive(3).Select(operation => operation.Name), Is.EqualTo(feeds.Skip(1).Take(3).Select(feed => feed.Name)));
        Assert.That(_scheduler.FindLive(feeds[4].Current.Execution)!.Name, Is.EqualTo(feeds[4].Name));
        Assert.That(_scheduler.FindLive(feeds[0].Current.Execution), Is.Null);
        foreach (var feed in feeds) feed.Dispose();
    }

    private static async Task<Lease> NextLease(WorkerSession worker)
    {
        var command = await worker.Commands.ReadAsync();
        return ((WorkerCommand.OfferLease)command).Lease;
    }

    /// <summary>All that was under way is told: an event of our own has come out at the other end.</summary>
    private async Task Settled()
    {
        using var feed = await _scheduler.SubmitAsync(Build.Request(999) with { DoNotCache = true }, default);
        await _scheduler.CancelAsync(feed.Name, default);
        await feed.WaitAsync(default);
        await _scheduler.DeleteAsync(feed.Name, default);
    }

    /// <summary>Keeps appends waiting between two words of its test.</summary>
    private sealed class FailingJournal(int appendsBefore, Exception failure) : IOperationJournal
    {
        public event Action<string?>? StallChanged
        {
            add { }
            remove { }
        }

        private int _appends;

        public bool WantsCompaction => false;

        public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken) =>
            ValueTask.FromResult<IReadOnlyList<JournalRecord>>([]);

        public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken) =>
            _appends++ < appendsBefore ? ValueTask.CompletedTask : throw failure;

        public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken) =>
            ValueTask.FromResult(true);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
