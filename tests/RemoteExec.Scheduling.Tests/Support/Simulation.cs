using System.Text;

namespace RemoteExec.Scheduling.Tests;

/// <summary>
/// A queue between scripted clients, workers, a journal and a clock, all driven by one random number generator.
/// What a crash may take back is kept apart from what was told: a batch of transitions becomes durable first and is
/// told afterwards, and a crash may come before, between and after.
/// </summary>
internal sealed class Simulation
{
    private const int ActionsMax = 12;

    private readonly Random _random;
    private readonly SchedulerOptions _options;
    private readonly Queue<Transitions> _undurable = new();
    private readonly Dictionary<string, SimulatedWorker> _workers = [];

    /// <summary>What clients know: the newest state told of each operation, kept when the queue has forgotten it.</summary>
    private readonly Dictionary<string, OperationSnapshot> _told = [];

    private readonly List<string> _names = [];

    /// <summary>Every lease that a worker was ever offered.</summary>
    private readonly HashSet<LeaseId> _offered = [];

    private List<JournalRecord> _durable = [];
    private BuildQueue _queue;
    private DateTimeOffset _now = Build.Start;
    private HashCode _trace;
    private int _workerNumber;

    public Simulation(int seed)
    {
        _random = new Random(seed);
        _options = new SchedulerOptions
        {
            AttemptsMax = _random.Next(1, 6),
            QuarantineAfter = _random.Next(1, 4),
            FinishedMax = _random.Next(5, 50),
            QueuedMax = _random.Next(5, 40),
            FinishedBytesMax = 4096,
            RecentlyFinishedMax = 0,
        };
        _queue = NewQueue();
    }

    public int Step { get; private set; }

    public int Trace => _trace.ToHashCode();

    public int Ended { get; private set; }

    public int Crashes { get; private set; }

    public int Retries { get; private set; }

    public void Run(int steps)
    {
        for (Step = 0; Step < steps; Step++)
        {
            Act();
            Take();
            Check();
        }

        Settle();
    }

    private BuildQueue NewQueue() => new(_options, () => new UInt128((ulong)_random.NextInt64(), (ulong)_random.NextInt64()));

    private void Act()
    {
        switch (_random.Next(100))
        {
            case < 22: Submit(); break;
            case < 24: WithOperation(name => _queue.Cancel(name, _now)); break;
            case < 30: WithOperation(ToggleWatch); break;
            case < 31: WithOperation(Delete); break;
            case < 37: NewWorker(); break;
            case < 48: WithLease((worker, lease) => _queue.Started(worker.Id, worker.Session, lease, _now)); break;
            case < 66: WithLease(Finish); break;
            case < 69: WithWorker(Disconnect); break;
            case < 73: WithWorker(Rejoin); break;
            case < 75: WithWorker(worker => worker.Dies(_queue, _now)); break;
            case < 76: WithWorker(worker => _queue.Drain(worker.Id, worker.Session, _now)); break;
            case < 84: WithWorker(worker => _queue.Heartbeat(worker.Id, worker.Session, [.. worker.Running], _now)); break;
            case < 90: Advance(TimeSpan.FromMilliseconds(_random.Next(1, 8000))); break;
            case < 91: Advance(TimeSpan.FromSeconds(_random.Next(1, 90))); break;
            case < 97: CommitSome(); break;
            case < 98: Compact(); break;
            default: Crash(); break;
        }
    }

    private void Submit()
    {
        string[] platform = _random.Next(12) switch
        {
            0 => ["Pool=gpu"],
            1 => ["Pool=nowhere"],
            _ => [],
        };
        int action = _random.Next(ActionsMax);
        var request = Build.Request(action, platform) with
        {
            Priority = _random.Next(-1, 2),
            SkipCacheLookup = _random.Next(8) == 0,
            DoNotCache = action == 0,
        };
        try
        {
            var operation = _queue.Submit(request, _now);
            Require(!(request.DoNotCache && operation.IsMerged), "what must not be cached was merged");
        }
        catch (SchedulingException refusal)
        {
            Require(refusal.Code == OutcomeCode.ResourceExhausted, refusal.Message);
        }
    }

    private void ToggleWatch(string name)
    {
        if (_queue.Find(name) is { Watchers: > 0 })
            _queue.Unwatch(name, _now);
        else
            _queue.Watch(name);
    }

    private void Delete(string name)
    {
        if (_queue.Find(name) is { IsDone: true }) _queue.Delete(name);
    }

    private void NewWorker()
    {
        if (_workers.Count >= 5) return;
        var worker = new SimulatedWorker($"w{_workerNumber++}", _random.Next(1, 4), _random.Next(4) == 0 ? "gpu" : "default");
        _workers.Add(worker.Id, worker);
        worker.Joins(_queue, _now);
    }

    /// <summary>Cut off: it goes on running what it has.</summary>
    private void Disconnect(SimulatedWorker worker)
    {
        if (worker.Session == 0) return;
        _queue.Disconnected(worker.Id, worker.Session, _now);
        worker.Session = 0;
    }

    private void Rejoin(SimulatedWorker worker)
    {
        // Its old connection may be closed properly, or look alive.
        if (_random.Next(2) == 0) Disconnect(worker);
        worker.Joins(_queue, _now);
    }

    private void Finish(SimulatedWorker worker, LeaseId lease)
    {
        worker.Running.Remove(lease);
        var outcome = _random.Next(5) == 0
            ? Build.Broken()
            // What ran is in the response, so that it can be told whose result was taken.
            : Build.Ok(lease.ToString());
        var verdict = _queue.Report(worker.Id, lease, outcome, _now);
        if (verdict == ReportVerdict.Accepted)
            Require(lease.Attempt == LastAttempt(lease.Execution), $"a report of {lease} was accepted, though it is not the last attempt");
    }

    private int LastAttempt(ExecutionId execution) =>
        _durable.Concat(_undurable.SelectMany(batch => batch.Records)).Reverse().OfType<JournalRecord.ExecutionLeased>()
            .First(leased => leased.Execution == execution).Attempt;

    private void Advance(TimeSpan by)
    {
        var end = _now + by;
        while (_queue.NextDue is { } due && due <= end)
        {
            _now = due > _now ? due : _now;
            _queue.Tick(_now);
            Take();
        }

        _now = end;
    }

    private void Take()
    {
        var batch = _queue.TakeTransitions();
        if (!batch.IsEmpty) _undurable.Enqueue(batch);
    }

    private void CommitSome()
    {
        for (int left = _random.Next(1, 20); left > 0 && _undurable.Count > 0; left--) CommitOne(isTold: true);
    }

    private void CommitAll()
    {
        Take();
        while (_undurable.Count > 0) CommitOne(isTold: true);
    }

    private void CommitOne(bool isTold)
    {
        var batch = _undurable.Dequeue();
        _durable.AddRange(batch.Records);
        Retries += batch.Records.OfType<JournalRecord.ExecutionRequeued>().Count();
        foreach (var record in batch.Records) _trace.Add(record.GetType().Name);
        if (!isTold) return;

        foreach (var effect in batch.Effects) Tell(effect);
        Take();
    }

    private void Tell(Effect effect)
    {
        switch (effect)
        {
            case Effect.OperationChanged { Operation: var operation }:
                Told(operation);
                break;
            case Effect.WorkerTold { Session: var session, Command: var command }:
                if (_workers.Values.SingleOrDefault(worker => worker.Session == session) is { } worker) Command(worker, command);
                break;
            case Effect.ExecutionEnded { Execution: var execution }:
                _queue.Publish(execution.Id, _now);
                break;
        }
    }

    private void Told(OperationSnapshot operation)
    {
        _trace.Add(operation.Name);
        _trace.Add(operation.Stage);
        _trace.Add(operation.Attempt);
        if (_told.TryGetValue(operation.Name, out var before))
        {
            Require(operation.Attempt >= before.Attempt, "an attempt number went back");
            Require(
                !before.IsDone || (operation.IsDone && operation.Outcome!.Message == before.Outcome!.Message
                    && operation.Outcome.Response.Span.SequenceEqual(before.Outcome.Response.Span)),
                $"{operation.Name} was done and is now {operation.Stage}, or ended twice");
        }

        if (operation.IsDone && before is not { IsDone: true }) Ended++;
        if (_told.TryAdd(operation.Name, operation)) _names.Add(operation.Name);
        _told[operation.Name] = operation;
    }

    private void Command(SimulatedWorker worker, WorkerCommand command)
    {
        switch (command)
        {
            case WorkerCommand.OfferLease { Lease: var lease }:
                Require(_offered.Add(lease.Id), $"{lease.Id} was offered twice");
                worker.Running.Add(lease.Id);
                break;
            case WorkerCommand.CancelLease { Lease: var lease }:
                worker.Running.Remove(lease);
                break;
            case WorkerCommand.End:
                worker.Session = 0;
                break;
        }
    }

    private void Compact()
    {
        if (_undurable.Count > 0) return;
        _durable = [.. _queue.Export()];
    }

    /// <summary>Some of what was decided is durable, of that some was told; the rest never happened.</summary>
    private void Crash()
    {
        Crashes++;
        Take();
        for (int told = _random.Next(_undurable.Count + 1); told > 0; told--) CommitOne(isTold: true);
        for (int written = _random.Next(_undurable.Count + 1); written > 0; written--) CommitOne(isTold: false);
        _undurable.Clear();

        foreach (var worker in _workers.Values) worker.Session = 0;
        _now += TimeSpan.FromMilliseconds(_random.Next(3000));
        _queue = NewQueue();
        _queue.Recover(_durable, _now);
        Take();
        CheckRecovery();
    }

    /// <summary>
    /// State to records to state is the same state: a compaction changes nothing but the urgency that a client lent
    /// and, having ended, takes along.
    /// </summary>
    private void CheckRecovery()
    {
        var exported = _queue.Export();
        var again = new BuildQueue(_options, () => throw new InvalidOperationException("a recovery invents no names"));
        again.Recover(exported, _now);
        var (left, right) = (Describe(_queue), Describe(again));
        Require(left == right, $"recovered from an export it differs:\n{left}\n---\n{right}");

        foreach (var (name, operation) in _told)
        {
            if (_queue.Find(name) is { } found)
                Require(!operation.IsDone || found.IsDone, $"{name} was done and is not any more");
            else
                Require(operation.IsDone || Forgotten(name), $"{name} was told of and is lost");
        }
    }

    private bool Forgotten(string name) =>
        // It ended and was forgotten before its client heard of the end: then the journal says so, or it was compacted away.
        !_durable.OfType<JournalRecord.OperationCreated>().Any(created => created.Operation == name)
        || _durable.Concat(_undurable.SelectMany(batch => batch.Records)).OfType<JournalRecord.OperationForgotten>().Any(forgotten => forgotten.Operation == name);

    private string Describe(BuildQueue queue)
    {
        var text = new StringBuilder();
        foreach (string name in _told.Keys.Order(StringComparer.Ordinal))
        {
            if (queue.Find(name) is not { } operation) continue;
            var execution = operation.Execution;
            text.AppendLine(string.Join(
                ' ', name, operation.IsDone, operation.Outcome?.Message, operation.IsMerged, execution.Id, execution.State, execution.Attempt,
                execution.State == ExecutionState.Completed ? 0 : execution.Losses, execution.Holder?.Id));
        }

        return text.ToString();
    }

    private void Check()
    {
        var snapshot = _queue.Snapshot(_now);
        Require(snapshot.Queued <= _options.QueuedMax + snapshot.Leased + snapshot.Running + 5 * 3, "the queue is not bounded");
        foreach (var platform in snapshot.Platforms.Where(platform => platform.Queued > 0))
        {
            foreach (var worker in snapshot.Workers.Where(worker => worker.State == WorkerState.Ready))
            {
                Require(
                    worker.SlotsUsed >= worker.Description.Slots
                        || !PlatformMatching.Covers(PlatformMatching.Offered(worker.Description), platform.Platform),
                    $"{worker.Description.Id} has room, and {platform.Platform} waits");
            }
        }
    }

    /// <summary>
    /// In the end all is well: healthy workers come, nothing breaks any more, and every operation that anyone was
    /// told of must end.
    /// </summary>
    private void Settle()
    {
        CommitAll();
        foreach (var worker in _workers.Values.ToArray()) worker.Dies(_queue, _now);
        _workers.Clear();
        foreach (string pool in new[] { "default", "gpu" })
        {
            var worker = new SimulatedWorker($"healthy-{pool}", 3, pool);
            _workers.Add(worker.Id, worker);
            worker.Joins(_queue, _now);
        }

        for (int round = 0; round < 400 && _queue.Snapshot(_now) is var snapshot && snapshot.Queued + snapshot.Leased + snapshot.Running > 0; round++)
        {
            CommitAll();
            foreach (var worker in _workers.Values)
            {
                if (worker.Session == 0) worker.Joins(_queue, _now);
                foreach (var lease in worker.Running.ToArray())
                {
                    worker.Running.Remove(lease);
                    _queue.Started(worker.Id, worker.Session, lease, _now);
                    _queue.Report(worker.Id, lease, Build.Ok(lease.ToString()), _now);
                }

                _queue.Heartbeat(worker.Id, worker.Session, [.. worker.Running], _now);
            }

            CommitAll();
            Advance(TimeSpan.FromSeconds(1));
        }

        CommitAll();
        foreach (var (name, operation) in _told)
            Require(operation.IsDone || Forgotten(name), $"{name} never ended: {_queue.Find(name)?.Execution.State}");
    }

    private void WithOperation(Action<string> act)
    {
        if (_told.Count > 0) act(_names[_random.Next(_names.Count)]);
    }

    private void WithWorker(Action<SimulatedWorker> act)
    {
        if (_workers.Count == 0) return;
        var worker = _workers.Values.ElementAt(_random.Next(_workers.Count));
        act(worker);
        if (worker.IsDead) _workers.Remove(worker.Id);
    }

    private void WithLease(Action<SimulatedWorker, LeaseId> act) => WithWorker(worker =>
    {
        // Cut off, it can only go on running.
        if (worker.Session != 0 && worker.Running.Count > 0) act(worker, worker.Running[_random.Next(worker.Running.Count)]);
    });

    private static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new InvalidOperationException(otherwise);
    }

    private sealed class SimulatedWorker(string id, int slots, string pool)
    {
        public string Id { get; } = id;

        public long Session { get; set; }

        public bool IsDead { get; private set; }

        public List<LeaseId> Running { get; } = [];

        public void Joins(BuildQueue queue, DateTimeOffset now) =>
            Session = queue.Join(Build.Worker(Id, slots) with { Pool = pool, Running = [.. Running] }, now);

        public void Dies(BuildQueue queue, DateTimeOffset now)
        {
            if (Session != 0) queue.Disconnected(Id, Session, now);
            IsDead = true;
        }
    }
}
