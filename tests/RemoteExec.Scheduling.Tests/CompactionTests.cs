using NUnit.Framework;

namespace RemoteExec.Scheduling.Tests;

/// <summary>The state is written anew beside everything else.</summary>
[TestFixture]
internal sealed class CompactionTests
{
    private readonly ManualTime _time = new();

    [Test]
    public void However_much_there_is_one_piece_is_bounded()
    {
        var queue = new BuildQueue(new SchedulerOptions(), Names());
        queue.Join(Build.Worker(slots: 100), Build.Begin);
        for (int action = 0; action < 3000; action++) queue.Submit(Build.Request(action / 2), Build.Begin);

        var (pieces, records) = (new List<int>(), new List<JournalRecord>());
        var export = queue.Export();
        while (true)
        {
            var piece = new List<JournalRecord>();
            export.Take(Compaction.PieceRecords, piece);
            if (piece.Count == 0) break;
            pieces.Add(piece.Count);
            records.AddRange(piece);
        }

        Assert.That(pieces, Is.All.LessThan(Compaction.PieceRecords + 50));
        Assert.That(records.OfType<JournalRecord.ExecutionCreated>().Count(), Is.EqualTo(1500));
        Assert.That(records.OfType<JournalRecord.OperationCreated>().Count(), Is.EqualTo(3000));
        Assert.That(records.OfType<JournalRecord.ExecutionLeased>().Count(), Is.EqualTo(100));
    }

    [Test]
    public async Task Others_go_on_between_two_pieces_and_a_restart_finds_all_that_they_did()
    {
        var journal = new PausingJournal();
        var names = new List<string>();
        string done;
        await using (var scheduler = new Scheduler(new SchedulerOptions(), journal, _time))
        {
            await scheduler.StartAsync(default);
            var feeds = new List<OperationFeed>();
            for (int action = 0; action < Compaction.PieceRecords; action++) feeds.Add(await scheduler.SubmitAsync(Build.Request(action), default));
            journal.WantsCompaction = true;
            feeds.Add(await scheduler.SubmitAsync(Build.Request(100_000), default));
            await journal.HasBegun;

            // In the middle of it one is cancelled that has been taken, one comes, one ends.
            await scheduler.CancelAsync(feeds[0].Name, default);
            feeds.Add(await scheduler.SubmitAsync(Build.Request(100_001), default));
            await using var worker = scheduler.Join(Build.Worker());
            var lease = ((WorkerCommand.OfferLease)await worker.Commands.ReadAsync()).Lease;
            await scheduler.ReportAsync(worker.WorkerId, lease.Id, Build.Ok(), default);
            done = feeds.Single(feed => feed.Current.Execution == lease.Id.Execution).Name;
            journal.GoOn();
            await journal.IsCompacted;
            names.AddRange(feeds.Select(feed => feed.Name));
        }

        await using var after = new Scheduler(new SchedulerOptions(), journal, _time);
        await after.StartAsync(default);
        Assert.That(after.List().Select(operation => operation.Name), Is.EquivalentTo(names));
        Assert.That(after.Find(names[0])!.Outcome!.Code, Is.EqualTo(OutcomeCode.Cancelled));
        Assert.That(after.Find(done)!.Outcome!.Code, Is.EqualTo(OutcomeCode.Ok));
        Assert.That(after.List().Count(operation => operation.IsDone), Is.EqualTo(2));
    }

    [Test]
    public async Task A_compaction_that_fails_for_whatever_reason_stops_nothing_and_is_not_tried_with_each_commit()
    {
        var journal = new PausingJournal { WantsCompaction = true, Failure = new TimeZoneNotFoundException("no one thought of this") };
        await using var scheduler = new Scheduler(new SchedulerOptions(), journal, _time);
        await scheduler.StartAsync(default);
        using var first = await scheduler.SubmitAsync(Build.Request(1), default);
        await journal.HasBegun;
        journal.GoOn();
        await journal.IsCompacted;

        for (int action = 2; action < 50; action++)
        {
            using var feed = await scheduler.SubmitAsync(Build.Request(action), default);
            await scheduler.CancelAsync(feed.Name, default);
        }

        Assert.That(journal.Compactions, Is.EqualTo(1));
        Assert.That(scheduler.Fault, Is.Null);
    }

    private static Func<UInt128> Names()
    {
        ulong last = 0;
        return () => ++last;
    }

    /// <summary>Remembers all, and stops in the middle of a compaction until the test has done what it wants.</summary>
    private sealed class PausingJournal : IOperationJournal
    {
        private readonly Lock _gate = new();
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _compacted = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private List<JournalRecord> _records = [];
        private volatile bool _wantsCompaction;

        public event Action<string?>? StallChanged
        {
            add { }
            remove { }
        }

        public bool WantsCompaction
        {
            get => _wantsCompaction;
            set => _wantsCompaction = value;
        }

        public Exception? Failure { get; init; }

        public int Compactions { get; private set; }

        public Task HasBegun => _begun.Task;

        public Task IsCompacted => _compacted.Task;

        public void GoOn() => _goOn.SetResult();

        public ValueTask<IReadOnlyList<JournalRecord>> RecoverAsync(CancellationToken cancellationToken)
        {
            lock (_gate) return ValueTask.FromResult<IReadOnlyList<JournalRecord>>([.. _records]);
        }

        public ValueTask AppendAsync(IReadOnlyList<JournalRecord> records, CancellationToken cancellationToken)
        {
            lock (_gate) _records.AddRange(records);
            return ValueTask.CompletedTask;
        }

        public async ValueTask<bool> CompactAsync(IEnumerable<JournalRecord> state, CancellationToken cancellationToken)
        {
            int replaced;
            lock (_gate)
            {
                Compactions++;
                replaced = _records.Count;
            }

            List<JournalRecord> records = [];
            using var pieces = state.GetEnumerator();
            if (pieces.MoveNext()) records.Add(pieces.Current);
            _begun.TrySetResult();
            await _goOn.Task;
            try
            {
                if (Failure is not null) throw Failure;
                while (pieces.MoveNext()) records.Add(pieces.Current);
                lock (_gate)
                {
                    records.AddRange(_records.Skip(replaced));
                    _records = records;
                    _wantsCompaction = false;
                }

                return true;
            }
            finally
            {
                _compacted.TrySetResult();
            }
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
