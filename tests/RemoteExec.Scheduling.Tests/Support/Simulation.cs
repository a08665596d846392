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

    /// <summary>Executions that wait for inputs that somebody makes, as far as he knows.</summary>
    private readonly List<ExecutionId> _held = [];

    /// <summary>Every lease that a worker was ever offered.</summary>
    private readonly HashSet<LeaseId> _offered = [];

    /// <summary>Operations that somebody cancelled or did not watch for a while: only these may be told that they are cancelled.</summary>
    private readonly HashSet<string> _mayBeCancelled = [];

    /// <summary>Operations that the queue has forgotten, unless a crash took that back.</summary>
    private readonly HashSet<string> _forgotten = [];

    /// <summary>Those of them that a compaction left out: no crash brings them back.</summary>
    private readonly HashSet<string> _leftOut = [];

    private List<JournalRecord> _durable = [];
    private BuildQueue _queue;
    private Instant _now = Build.Begin;

    /// <summary>A compaction under way: what it has taken so far, and how much of the journal it will replace.</summary>
    private (StateExport Export, List<JournalRecord> State, int Replaces)? _compaction;

    private readonly WaitingRooms _rooms = new();
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

    public int Compactions { get; private set; }

    public void Run(int steps)
    {
        for (Step = 0; Step < steps; Step++)
        {
            Act();
            _rooms.Check(_queue);
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
            case < 24: WithOperation(Cancel); break;
            case < 30: WithOperation(ToggleWatch); break;
            case < 31: WithOperation(Delete); break;
            case < 37: NewWorker(); break;
            case < 46: WithLease(Start); break;
            case < 60: WithLease(Finish); break;
            case < 62: WithWorker(Report); break;
            case < 63: WithLease(HandBack); break;
            case < 66: WithWorker(Die); break;
            case < 69: WithWorker(Disconnect); break;
            case < 72: WithWorker(Rejoin); break;
            case < 74: WithWorker(worker => worker.Dies(_queue, _now)); break;
            case < 75: WithWorker(Drain); break;
            case < 82: WithWorker(worker => _queue.Heartbeat(worker.Id, worker.Session, [.. worker.Held], _now)); break;
            case < 88: Advance(TimeSpan.FromMilliseconds(_random.Next(1, 8000))); break;
            case < 89: Advance(TimeSpan.FromSeconds(_random.Next(1, 90))); break;
            case < 90: StepWall(); break;
            case < 91: WithHeld(id => _queue.Release(id, _now)); break;
            case < 92: WithHeld(id => _queue.Refuse(id, Build.Of(Blame.Client), _now)); break;
            case < 95: CommitSome(); break;
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
            var operation = _queue.Submit(request, _now, _random.Next(10) == 0 ? Hold() : null);
            Require(!(request.DoNotCache && operation.IsMerged), "what must not be cached was merged");
        }
        catch (SchedulingException refusal)
        {
            Require(refusal.Code == OutcomeCode.ResourceExhausted, refusal.Message);
        }
    }

    private InputHold Hold() => new(_held.Add);

    private void WithHeld(Func<ExecutionId, bool> act)
    {
        if (_held.Count == 0) return;
        var id = _held[_random.Next(_held.Count)];
        _held.Remove(id);
        act(id);
        Require(!act(id), $"{id} is held twice");
    }

    private void ToggleWatch(string name)
    {
        if (_queue.Find(name) is { Watchers: > 0 } watched)
        {
            _mayBeCancelled.Add(name);
            _queue.Unwatch(name, watched.Watches, isCancelled: _random.Next(4) == 0, _now);
        }
        else
        {
            _queue.Watch(name, _now);
        }
    }

    private void Cancel(string name)
    {
        _mayBeCancelled.Add(name);
        _queue.Cancel(name, _now);
    }

    private void Delete(string name)
    {
        if (_queue.Find(name) is { IsDone: true }) _queue.Delete(name);
    }

    private void NewWorker()
    {
        if (_workers.Count >= 5) return;
        var worker = new SimulatedWorker($"w{_workerNumber++}", _random.Next(1, 4), _random.Next(4) == 0 ? "gpu" : "default", _random.Next(3));
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

    private void Start(SimulatedWorker worker, LeaseId lease)
    {
        worker.Started.Add(lease);
        _queue.Started(worker.Id, worker.Session, lease, waited: TimeSpan.FromMilliseconds(_random.Next(3000)), _now);
    }

    /// <summary>It ends; sometimes its report has a longer way.</summary>
    private void Finish(SimulatedWorker worker, LeaseId lease)
    {
        worker.Running.Remove(lease);
        var outcome = _random.Next(10) switch
        {
            0 or 1 => Build.Broken(),
            2 => Build.Of((Blame)_random.Next(1, 6)),
            3 => Build.Of(Blame.Client) with { Hold = Hold() },
            // What ran is in the response, so that it can be told whose result was taken.
            _ => Build.Ok(lease.ToString()),
        };
        worker.Owed.Add((lease, outcome));
        if (_random.Next(4) > 0) Report(worker);
    }

    /// <summary>The oldest report it owes arrives, with or without a stream.</summary>
    private void Report(SimulatedWorker worker)
    {
        if (worker.Owed.Count == 0) return;

        var (lease, outcome) = worker.Owed[0];
        worker.Owed.RemoveAt(0);
        var before = Snapshot(worker);
        var verdict = _queue.Report(worker.Id, lease, outcome, _now);
        if (verdict == ReportVerdict.Accepted)
            Require(lease.Attempt == LastAttempt(lease.Execution), $"a report of {lease} was accepted, though it is not the last attempt");

        if (before is { QuarantinedFor: { } left } && Snapshot(worker) is { QuarantinedFor: { } leftNow })
        {
            // While a quarantine lasts no probe is out, so nothing makes it longer.
            Require(left == TimeSpan.Zero || leftNow == left, $"a quarantine of {left} became one of {leftNow}");
        }

        Require(_queue.Report(worker.Id, lease, outcome, _now) == ReportVerdict.Stale, "the same report was taken twice");
    }

    private WorkerSnapshot? Snapshot(SimulatedWorker worker) =>
        _queue.Snapshot(_now).Workers.SingleOrDefault(candidate => candidate.Description.Id == worker.Id);

    private void HandBack(SimulatedWorker worker, LeaseId lease)
    {
        worker.Running.Remove(lease);
        var execution = _names.Select(_queue.Find).OfType<Operation>().FirstOrDefault(operation => operation.Execution.Id == lease.Execution)?.Execution;
        int losses = execution?.Losses ?? 0;
        _queue.HandBack(worker.Id, worker.Session, lease, _now);
        Require(execution is null || execution.Losses == losses, "handing back cost an attempt");
    }

    /// <summary>Something that it was told to stop is dead, and it says so, or leaves that to its next heartbeat.</summary>
    private void Die(SimulatedWorker worker)
    {
        if (worker.Dying.Count == 0) return;

        var lease = worker.Dying[0];
        worker.Dying.RemoveAt(0);
        if (_random.Next(2) == 0) _queue.Stopped(worker.Id, worker.Session, lease, _now);
    }

    private void Drain(SimulatedWorker worker)
    {
        worker.IsDraining = true;
        _queue.Drain(worker.Id, worker.Session, _now);
    }

    /// <summary>Somebody sets the clock of the machine.</summary>
    private void StepWall() => _now = _now with { Wall = _now.Wall.AddMinutes(_random.Next(-60, 61)) };

    private int LastAttempt(ExecutionId execution) =>
        _durable.Concat(_undurable.SelectMany(batch => batch.Records)).OfType<JournalRecord.ExecutionLeased>()
            .Where(leased => leased.Execution == execution).Max(leased => leased.Attempt);

    private void Advance(TimeSpan by)
    {
        var end = _now.After(by);
        while (_queue.NextDue is { } due && due <= end.Monotonic)
        {
            if (due > _now.Monotonic) _now = _now.After(due - _now.Monotonic);
            _queue.Tick(_now);
            _rooms.Remember(_queue);
            Take();
        }

        _now = end;
    }

    private void Take()
    {
        var batch = _queue.TakeTransitions();
        if (batch.IsEmpty) return;

        _undurable.Enqueue(batch);
        _forgotten.UnionWith(ForgottenIn(batch.Records));
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

        foreach (var effect in batch.Effects)
        {
            Tell(effect);
            _rooms.Check(_queue);
        }

        Take();
    }

    private void Tell(Effect effect)
    {
        switch (effect)
        {
            case Effect.OperationChanged { Operation: var operation }:
                Told(operation);
                break;
            case Effect.WorkerTold { Session: var session, Command: var command, Offered: var holding }:
                if (holding is not null) holding.IsOffered = true;
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

        Require(
            operation.Outcome is not { Code: OutcomeCode.Cancelled } || _mayBeCancelled.Contains(operation.Name),
            $"{operation.Name} is told that it was cancelled, and nobody cancelled it: {operation.Outcome?.Message}");
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
                // What has ended needs no killing.
                if (worker.Running.Remove(lease)) worker.Dying.Add(lease);
                break;
            case WorkerCommand.RecallLease { Lease: var lease }:
                // Some have begun, and some say nothing.
                if (worker.Running.Contains(lease) && !worker.Started.Contains(lease) && _random.Next(8) > 0) HandBack(worker, lease);
                break;
            case WorkerCommand.End:
                worker.Session = 0;
                if (worker.IsDraining && !worker.Held.Any()) _workers.Remove(worker.Id);
                break;
        }
    }

    /// <summary>
    /// The state is taken piece by piece, while all else goes on, and takes the place of what had been appended when it began. What
    /// came after that stays behind it, although the state may include it.
    /// </summary>
    private void Compact()
    {
        if (_compaction is not { } compaction)
        {
            _compaction = (_queue.Export(), [], _durable.Count);
            return;
        }

        var piece = new List<JournalRecord>();
        compaction.Export.Take(_random.Next(5, 60), piece);
        compaction.State.AddRange(piece);
        if (piece.Count > 0) return;

        _durable = [.. compaction.State, .. _durable.Skip(compaction.Replaces)];
        _leftOut.UnionWith(_forgotten.Where(name => !CanBeRecovered(name)));
        _compaction = null;
        Compactions++;
    }

    /// <summary>Some of what was decided is durable, of that some was told; the rest never happened.</summary>
    private void Crash()
    {
        Crashes++;
        Take();
        for (int told = _random.Next(_undurable.Count + 1); told > 0; told--) CommitOne(isTold: true);
        for (int written = _random.Next(_undurable.Count + 1); written > 0; written--) CommitOne(isTold: false);
        _undurable.Clear();
        _forgotten.IntersectWith([.. ForgottenIn(_durable), .. _leftOut]);

        _compaction = null;

        // Nothing of that is remembered: what was held is given out.
        _held.Clear();
        foreach (var worker in _workers.Values) worker.Session = 0;
        // Nobody watches any more, for now.
        _mayBeCancelled.UnionWith(_durable.OfType<JournalRecord.OperationCreated>().Select(created => created.Operation));
        // Another process: its monotonic clock has nothing to do with ours.
        _now = new Instant(TimeSpan.FromSeconds(_random.Next(1_000_000)), _now.Wall + TimeSpan.FromMilliseconds(_random.Next(3000)));
        _queue = NewQueue();
        _queue.Recover(_durable, _now);
        _rooms.Remember(_queue);
        Take();
        CheckRecovery();
    }

    /// <summary>
    /// State to records to state is the same state: a compaction changes nothing but the urgency that a client lent
    /// and, having ended, takes along.
    /// </summary>
    private void CheckRecovery()
    {
        var exported = Export(_queue);
        var again = new BuildQueue(_options, () => throw new InvalidOperationException("a recovery invents no names"));
        again.Recover(exported, _now);
        var (left, right) = (Describe(_queue), Describe(again));
        Require(left == right, $"recovered from an export it differs:\n{left}\n---\n{right}");

        foreach (var (name, operation) in _told)
        {
            if (_queue.Find(name) is { } found)
                Require(!operation.IsDone || found.IsDone, $"{name} was done and is not any more");
            else
                Require(operation.IsDone || _forgotten.Contains(name), $"{name} was told of and is lost");
        }
    }

    private static List<JournalRecord> Export(BuildQueue queue)
    {
        var records = new List<JournalRecord>();
        queue.Export().Take(int.MaxValue, records);
        return records;
    }

    private static IEnumerable<string> ForgottenIn(IEnumerable<JournalRecord> records) =>
        records.OfType<JournalRecord.OperationForgotten>().Select(forgotten => forgotten.Operation);

    /// <summary>The journal has it, and the execution without which what it says of it means nothing.</summary>
    private bool CanBeRecovered(string name) =>
        _durable.OfType<JournalRecord.OperationCreated>().FirstOrDefault(created => created.Operation == name) is { } created
        && _durable.OfType<JournalRecord.ExecutionCreated>().Any(execution => execution.Execution == created.Execution);

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
        Require(
            snapshot.Workers.All(worker => worker.QuarantinedFor is not { } left || left <= _options.QuarantineMax), "a quarantine is longer than any may be");
        WaitingRooms.CheckSlots(_queue, snapshot);
        WaitingRooms.CheckBooks(_queue, snapshot);
    }

    /// <summary>
    /// In the end all is well: healthy workers come, nothing breaks any more, and every operation that anyone was
    /// told of must end.
    /// </summary>
    private void Settle()
    {
        CommitAll();
        foreach (var id in _held) _queue.Release(id, _now);
        foreach (var worker in _workers.Values.ToArray()) worker.Dies(_queue, _now);
        _workers.Clear();
        foreach (string pool in new[] { "default", "gpu" })
        {
            var worker = new SimulatedWorker($"healthy-{pool}", 3, pool, prefetch: 1);
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
                    _queue.Started(worker.Id, worker.Session, lease, waited: TimeSpan.Zero, _now);
                    _queue.Report(worker.Id, lease, Build.Ok(lease.ToString()), _now);
                }

                worker.Dying.Clear();
                _queue.Heartbeat(worker.Id, worker.Session, [.. worker.Running], _now);
            }

            CommitAll();
            Advance(TimeSpan.FromSeconds(1));
        }

        CommitAll();
        foreach (var (name, operation) in _told)
            Require(operation.IsDone || _forgotten.Contains(name), $"{name} never ended: {_queue.Find(name)?.Execution.State}");
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

    internal static void Require(bool holds, string otherwise)
    {
        if (!holds) throw new InvalidOperationException(otherwise);
    }
}
