using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>What may happen while an append is under way, and what has to wait for it.</summary>
[TestFixture]
internal sealed class SchedulerOrderTests
{
    private readonly ManualTime _time = new();
    private StallingJournal _journal = null!;
    private TaskCompletionSource<CompletedExecution> _hook = null!;
    private Task _hookEnd = Task.CompletedTask;
    private Scheduler _scheduler = null!;

    [SetUp]
    public async Task SetUp()
    {
        _journal = new StallingJournal();
        _hookEnd = Task.CompletedTask;
        _hook = new TaskCompletionSource<CompletedExecution>(TaskCreationOptions.RunContinuationsAsynchronously);
        _scheduler = new Scheduler(new SchedulerOptions(), _journal, _time, (completed, _) =>
        {
            _hook.SetResult(completed);
            return new ValueTask(_hookEnd);
        });
        await _scheduler.StartAsync(default);
    }

    [TearDown]
    public async Task TearDown() => await _scheduler.DisposeAsync();

    [Test]
    public async Task A_worker_begins_new_work_while_it_becomes_durable_and_the_client_hears_of_it_afterwards()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        _journal.Wait();
        var submitting = _scheduler.SubmitAsync(Build.Request(1), default).AsTask();

        var lease = await NextLease(worker);
        Assert.That(submitting.IsCompleted, Is.False, "the client was told before the record was durable");
        Assert.That(_scheduler.List(), Is.Empty, "an operation that a crash would forget can be asked for");

        // Even a report that overtakes the record of its execution waits for it.
        var finishing = _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();
        Assert.That((finishing.IsCompleted, _hook.Task.IsCompleted), Is.EqualTo((false, false)));

        _journal.GoOn();
        using var feed = await submitting;
        Assert.That(await finishing, Is.EqualTo(ReportVerdict.Accepted));
        Assert.That((await feed.WaitAsync(default))!.Attempt, Is.EqualTo(1));
    }

    [Test]
    public async Task Work_that_was_known_before_is_offered_again_only_when_that_is_durable()
    {
        using var feed = await _scheduler.SubmitAsync(Build.Request(1), default);
        _journal.Wait();
        await using var worker = _scheduler.Join(Build.Worker());

        Assert.That(worker.Commands.TryRead(out _), Is.False, "a crash would forget who has the lease");

        _journal.GoOn();
        Assert.That((await NextLease(worker)).Id.Attempt, Is.EqualTo(1));
    }

    [Test]
    public async Task A_compaction_takes_the_place_of_no_append_and_nobody_waits_for_it()
    {
        _journal.WantsCompaction = true;
        using var feed = await _scheduler.SubmitAsync(Build.Request(1), default);

        Assert.That(_journal.Appended, Has.Some.InstanceOf<JournalRecord.OperationCreated>());
        Assert.That(await _journal.Compacted, Has.Some.InstanceOf<JournalRecord.OperationCreated>(), "the state is no older than that append");
    }

    [Test]
    public async Task The_completion_hook_runs_beside_the_append_and_the_waiters_wait_for_both()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        _journal.Wait();
        var finishing = _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();

        Assert.That((await _hook.Task).Id, Is.EqualTo(lease.Id.Execution));
        Assert.That((finishing.IsCompleted, feed.Current.IsDone), Is.EqualTo((false, false)));

        _journal.GoOn();
        await finishing;
        Assert.That((await feed.WaitAsync(default))!.IsDone, Is.True);
    }

    [Test]
    public async Task A_shutdown_waits_for_a_hook_whose_end_never_became_durable()
    {
        var hookEnd = new TaskCompletionSource();
        _hookEnd = hookEnd.Task;
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        _journal.Wait();
        var finishing = _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();
        await _hook.Task;
        _journal.Break();
        Assert.That(async () => await finishing, Throws.InstanceOf<SchedulingException>());

        var ending = _scheduler.DisposeAsync().AsTask();
        Assert.That(ending.IsCompleted, Is.False, "the hook still writes to what is closed after the scheduler");
        hookEnd.SetResult();
        await ending;
    }

    [Test]
    public async Task A_slow_append_loses_no_worker_and_nothing_that_is_to_be_offered_after_it()
    {
        await using var worker = _scheduler.Join(Build.Worker(slots: 2));
        using var first = await _scheduler.SubmitAsync(Build.Request(1), default);
        using var second = await _scheduler.SubmitAsync(Build.Request(2), default);
        using var third = await _scheduler.SubmitAsync(Build.Request(3), default);
        var (reported, running) = ((await NextLease(worker)).Id, (await NextLease(worker)).Id);
        _journal.Wait();
        // Its slot is free, so the third is leased; but nobody can be told while the append goes on.
        var reporting = _scheduler.ReportAsync(worker.WorkerId, reported, Build.Ok(), default).AsTask();
        for (int second7 = 0; second7 < 7; second7++)
        {
            _time.Advance(TimeSpan.FromSeconds(1));
            worker.Heartbeat([running]);
        }

        Assert.That(reporting.IsCompleted, Is.False);
        Assert.That(_scheduler.Snapshot().Workers.Single().State, Is.EqualTo(WorkerState.Ready));
        _journal.GoOn();
        Assert.That(await reporting, Is.EqualTo(ReportVerdict.Accepted));
        Assert.That((await NextLease(worker)).Id.Attempt, Is.EqualTo(1));
        worker.Heartbeat([running]);
        Assert.That(_scheduler.FindLease(running)!.WorkerId, Is.EqualTo("w1"));
    }

    [Test]
    public async Task An_offer_that_waits_to_be_sent_is_not_missing_and_one_that_was_sent_is()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(1), default);
        var lease = (await NextLease(worker)).Id;

        // The socket takes nothing meanwhile; what comes up it is heard.
        Beat();
        Assert.That(_scheduler.FindLease(lease), Is.Not.Null, "it would have cost an attempt");

        worker.Sent(lease);
        Beat();
        Assert.That(_scheduler.FindLease(lease), Is.Null);

        void Beat()
        {
            for (int second = 0; second < 8; second++)
            {
                _time.Advance(TimeSpan.FromSeconds(1));
                worker.Heartbeat([]);
            }
        }
    }

    [Test]
    public async Task A_commit_that_fails_behind_the_journal_is_the_end_and_not_a_silence()
    {
        await using var scheduler = new Scheduler(new SchedulerOptions(), new OddJournal(), _time);
        await scheduler.StartAsync(default);
        using var told = await scheduler.SubmitAsync(Build.Request(1), default);

        var refused = Assert.ThrowsAsync<SchedulingException>(
            async () => await scheduler.SubmitAsync(Build.Request(2), default).AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.That((refused!.Code, scheduler.Fault is null), Is.EqualTo((OutcomeCode.Unavailable, false)));
    }

    [Test]
    public async Task A_report_is_not_called_stale_before_that_is_durable()
    {
        await using var worker = _scheduler.Join(Build.Worker());
        using var feed = await _scheduler.SubmitAsync(Build.Request(1), default);
        var lease = await NextLease(worker);
        _journal.Wait();
        var first = _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();
        // The client library has lost the first answer and asks again.
        var again = _scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default).AsTask();
        Assert.That(again.IsCompleted, Is.False, "the worker would forget what a crash may still ask it for");

        _journal.GoOn();
        Assert.That((await first, await again), Is.EqualTo((ReportVerdict.Accepted, ReportVerdict.Stale)));
    }

    [Test]
    public async Task Who_is_told_of_faults_and_throws_changes_nothing()
    {
        await using var scheduler = new Scheduler(
            new SchedulerOptions(), _journal, _time, onFaultChanged: _ => throw new TimeZoneNotFoundException("no one thought of this"));
        await scheduler.StartAsync(default);
        _journal.Stall("the disk is full");
        Assert.That(scheduler.Fault, Is.EqualTo("the disk is full"));
        _journal.GoOn();

        using var feed = await scheduler.SubmitAsync(Build.Request(1), default);
        Assert.That(scheduler.Fault, Is.Null);
    }

    private static async Task<Lease> NextLease(WorkerSession worker) =>
        ((WorkerCommand.OfferLease)await worker.Commands.ReadAsync()).Lease;

    /// <summary>Keeps everything, and fails where nobody thought of it.</summary>
    private sealed class OddJournal : IOperationJournal
    {
        public event Action<string?>? StallChanged
        {
            add { }
            remove { }
        }

        public bool WantsCompaction => throw new TimeZoneNotFoundException("no one thought of this");

        public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken) => ValueTask.FromResult<IReadOnlyList<JournalRecord>>([]);

        public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken) => ValueTask.CompletedTask;

        public ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken) => ValueTask.FromResult(false);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
