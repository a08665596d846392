using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace RemoteExec.Scheduling;

/// <summary>
/// The queue in motion: puts one lock around <see cref="BuildQueue"/>, journals what it decides, and only then tells
/// clients and workers (DESIGN D2).
/// <code>
/// event -> lock { BuildQueue } -> one append for all that came meanwhile -> tell, in order
/// </code>
/// </summary>
public sealed partial class Scheduler : IAsyncDisposable
{
    // An action cache write takes milliseconds; a shutdown does not wait for a dead disk.
    private static readonly TimeSpan HookPatience = TimeSpan.FromSeconds(5);

    // A disk that is full is rarely given room within a second: a client that comes back sooner comes in vain.
    private static readonly TimeSpan StallRetryAfter = TimeSpan.FromSeconds(1);

    // The next process listens within a second, and Bazel's first retry comes later than that (TRUST 1.2).
    private static readonly TimeSpan DrainRetryAfter = TimeSpan.FromSeconds(1);

    private readonly Lock _gate = new();
    private readonly BuildQueue _queue;
    private readonly IOperationJournal _journal;
    private readonly TimeProvider _time;
    private readonly Func<CompletedExecution, CancellationToken, ValueTask>? _onCompleted;
    private readonly Action<string?>? _onFaultChanged;
    private readonly ISchedulingObserver _observer;
    private readonly ITimer _timer;
    private readonly CancellationTokenSource _stopping = new();

    /// <summary>Only what is durable is here: who asks for an operation sees nothing that a crash could take back.</summary>
    private readonly ConcurrentDictionary<string, OperationCell> _operations = new();
    private readonly ConcurrentDictionary<long, WorkerSession> _sessions = new();
    private readonly ConcurrentDictionary<ExecutionId, Task> _endings = new();

    private Commit _open = new();
    private Task _committing = Task.CompletedTask;
    private Commit? _underWay;
    private bool _isCommitting;
    private DateTimeOffset? _armedFor;
    private Phase _phase = Phase.Created;
    private SchedulingException? _fault;
    private SchedulingException? _feedsEnd;
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isIdleSeen;
    private volatile string? _stall;

    /// <param name="onCompleted">
    /// Runs once for each execution that ends, while its end becomes durable and before its waiters know: the action
    /// cache is written here, so that a client that asks again finds the result. Until it returns, equal requests still
    /// join the execution. Its failure is counted and costs the cache entry, not the result.
    /// </param>
    /// <param name="onFaultChanged">Told each change of <see cref="Fault"/>; returns at once and does not throw.</param>
    public Scheduler(
        SchedulerOptions options,
        IOperationJournal journal,
        TimeProvider time,
        Func<CompletedExecution, CancellationToken, ValueTask>? onCompleted = null,
        Action<string?>? onFaultChanged = null)
    {
        Options = options;
        _queue = new BuildQueue(options, RandomBits);
        _journal = journal;
        _time = time;
        _onCompleted = onCompleted;
        _onFaultChanged = onFaultChanged;
        _journal.StallChanged += OnStallChanged;
        _observer = options.Observer;
        _timer = time.CreateTimer(_ => Tick(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    private enum Phase
    {
        Created,
        Serving,
        Draining,
        Stopped,
    }

    public SchedulerOptions Options { get; }

    /// <summary>Why nothing is accepted, for now or until a restart; null while all is well. For readiness.</summary>
    public string? Fault => _fault?.Message ?? _stall;

    /// <summary>Recovers what was acknowledged before; nothing is accepted earlier.</summary>
    /// <exception cref="JournalException">The journal cannot be read or is damaged.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var records = await _journal.RecoverAsync(cancellationToken);
        Task durable;
        lock (_gate)
        {
            _queue.Recover(records, Now);
            _phase = Phase.Serving;
            durable = Enqueue();
        }

        await durable.WaitAsync(cancellationToken);
    }

    /// <summary>Joins or creates an execution. Returns when that is durable; the feed counts as a watcher until it is disposed.</summary>
    /// <exception cref="SchedulingException">RESOURCE_EXHAUSTED when too much waits, UNAVAILABLE once feeds have ended or without a journal.</exception>
    public async ValueTask<OperationFeed> SubmitAsync(ExecutionRequest request, CancellationToken cancellationToken)
    {
        string name;
        Task durable;
        lock (_gate)
        {
            ThrowUnlessFeeding();
            // Whoever is in already waits for room; a line at the door would only grow.
            if (_stall is { } stall) throw new SchedulingException(OutcomeCode.Unavailable, stall, StallRetryAfter);
            var operation = _queue.Submit(request, Now);
            name = operation.Name;
            if (operation.IsMerged) _observer.Merged();
            durable = Enqueue();
        }

        try
        {
            await durable.WaitAsync(cancellationToken);
            return new OperationFeed(_operations[name], _time, () => Unwatch(name));
        }
        catch
        {
            Unwatch(name);
            throw;
        }
    }

    /// <summary>One more feed on an operation (REAPI WaitExecution); null when it is unknown.</summary>
    public OperationFeed? Watch(string operationName)
    {
        lock (_gate)
        {
            ThrowUnlessFeeding();
            if (!_operations.TryGetValue(operationName, out var cell) || !_queue.Watch(operationName)) return null;

            return new OperationFeed(cell, _time, () => Unwatch(operationName));
        }
    }

    public OperationSnapshot? Find(string operationName) =>
        _operations.TryGetValue(operationName, out var cell) ? cell.Current : null;

    /// <summary>All operations that can be asked for, in no particular order. For pages of the house: a name is the right to watch and to cancel.</summary>
    public IReadOnlyList<OperationSnapshot> List() => [.. _operations.Select(entry => entry.Value.Current)];

    /// <summary>Those of one instance: what a client may be shown.</summary>
    public IReadOnlyList<OperationSnapshot> List(Core.InstanceName instance) =>
        [.. _operations.Select(entry => entry.Value.Current).Where(operation => operation.Request.Instance == instance)];

    /// <summary>Ends one client's operation, and the execution if nobody else waits. False when it is unknown; idempotent.</summary>
    public async ValueTask<bool> CancelAsync(string operationName, CancellationToken cancellationToken)
    {
        bool isKnown;
        Task durable;
        lock (_gate)
        {
            ThrowUnless(Phase.Serving, Phase.Draining);
            isKnown = _queue.Cancel(operationName, Now);
            durable = Enqueue();
        }

        await durable.WaitAsync(cancellationToken);
        return isKnown;
    }

    /// <summary>Forgets an operation that is done. False when it is unknown.</summary>
    /// <exception cref="SchedulingException">FAILED_PRECONDITION while it is not done.</exception>
    public async ValueTask<bool> DeleteAsync(string operationName, CancellationToken cancellationToken)
    {
        bool isKnown;
        Task durable;
        lock (_gate)
        {
            ThrowUnless(Phase.Serving, Phase.Draining);
            isKnown = _queue.Delete(operationName);
            durable = Enqueue();
        }

        await durable.WaitAsync(cancellationToken);
        return isKnown;
    }

    /// <summary>A worker connects. A newer session of the same worker takes over from an older one.</summary>
    public WorkerSession Join(WorkerDescription description)
    {
        lock (_gate)
        {
            ThrowUnless(Phase.Serving, Phase.Draining);
            long number = _queue.Join(description, Now);
            var session = new WorkerSession(this, description, number);
            _observer.WorkerConnected(description.Pool);
            // Before the commands go out, or the first one would find nobody.
            _sessions[number] = session;
            _ = Enqueue();
            return session;
        }
    }

    /// <summary>What runs under this lease and where; null when it is stale: over, or taken back. One lookup.</summary>
    public HeldLease? FindLease(LeaseId lease)
    {
        lock (_gate) return _queue.FindLease(lease);
    }

    /// <summary>
    /// The attempt is over. Returns when that is durable, so that the worker may forget it. Fenced by lease, attempt and worker, not by
    /// a session: it may come before or after a reconnect. The same report again is stale.
    /// </summary>
    /// <exception cref="SchedulingException">UNAVAILABLE without a journal, or before recovery: the worker keeps its report.</exception>
    public async ValueTask<ReportVerdict> ReportAsync(
        string workerId, LeaseId lease, ExecutionOutcome outcome, CancellationToken cancellationToken)
    {
        ReportVerdict verdict;
        Task durable;
        lock (_gate)
        {
            ThrowUnless(Phase.Serving, Phase.Draining);
            verdict = _queue.Report(workerId, lease, outcome, Now);
            _ = Enqueue();
            // Of a stale one too: it may be stale by what is not durable yet.
            durable = Durable();
        }

        if (verdict == ReportVerdict.Stale) _observer.StaleReport();
        await durable.WaitAsync(cancellationToken);
        return verdict;
    }

    public QueueSnapshot Snapshot()
    {
        lock (_gate) return _queue.Snapshot(Now);
    }

    /// <summary>Completes after <see cref="BeginDrain"/>, when nothing is leased or runs any more and every end has been told.</summary>
    public Task WhenIdle => _idle.Task;

    /// <summary>
    /// Leases nothing more. All else goes on: requests are journalled and queued for the next process, feeds stay open, workers
    /// join and report.
    /// </summary>
    public void BeginDrain()
    {
        lock (_gate)
        {
            if (_phase != Phase.Serving) return;
            _phase = Phase.Draining;
            _queue.StopLeasing();
            LookForIdle();
        }
    }

    /// <summary>Ends every feed that has not seen its end with UNAVAILABLE, so that clients attach again, and opens no more.</summary>
    public void EndFeeds()
    {
        SchedulingException end;
        lock (_gate)
            end = _feedsEnd ??= new SchedulingException(OutcomeCode.Unavailable, "the coordinator is shutting down", DrainRetryAfter);

        foreach (var (_, cell) in _operations) cell.Close(end);
    }

    /// <summary>
    /// Ends all sessions and awaits what is under way. The journal stays open: it belongs to whoever opened it. What
    /// runs on workers that outlive this process is not lost: they rejoin.
    /// </summary>
    public async ValueTask DisposeAsync()
    {
        BeginDrain();
        EndFeeds();
        lock (_gate) _phase = Phase.Stopped;

        await _timer.DisposeAsync();
        foreach (var (_, session) in _sessions) session.Tell(new WorkerCommand.End("the coordinator shuts down"));
        var outOfPatience = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using (var patience = new CancellationTokenSource(HookPatience, _time))
        await using (patience.Token.Register(_stopping.Cancel))
        await using (patience.Token.Register(outOfPatience.SetResult))
        {
            while (UnderWay() is { } task)
            {
                // A full disk may stay full. What waits for it is not acknowledged: whoever asked will ask again.
                if (await Task.WhenAny(task, outOfPatience.Task) == outOfPatience.Task && _stall is not null) break;
                await task;
            }
        }

        _journal.StallChanged -= OnStallChanged;
        _stopping.Dispose();
    }

    private Task? UnderWay()
    {
        lock (_gate)
        {
            if (_isCommitting) return _committing;
        }

        return _endings.IsEmpty ? null : Task.WhenAll(_endings.Values);
    }

    private DateTimeOffset Now => _time.GetUtcNow();

    // A name is the right to watch and to cancel, so it must not be guessed.
    private static UInt128 RandomBits()
    {
        Span<byte> bits = stackalloc byte[16];
        RandomNumberGenerator.Fill(bits);
        return BinaryPrimitives.ReadUInt128BigEndian(bits);
    }

    private void Unwatch(string operationName)
    {
        lock (_gate)
        {
            if (_phase == Phase.Stopped) return;
            _queue.Unwatch(operationName, Now);
            _ = Enqueue();
        }
    }

    private void Tick()
    {
        lock (_gate)
        {
            _armedFor = null;
            // Time stands still while the journal waits for room: silence and absence are not held against those we cannot answer.
            if (_phase is Phase.Created or Phase.Stopped || _stall is not null) return;
            _queue.Tick(Now);
            _ = Enqueue();
        }
    }

    private void OnStallChanged(string? reason)
    {
        lock (_gate)
        {
            _stall = reason;
            if (reason is null) Arm();
        }

        _onFaultChanged?.Invoke(reason);
    }

    private void ThrowUnless(Phase allowed, Phase alsoAllowed = Phase.Serving)
    {
        if (_fault is not null) throw new SchedulingException(_fault.Code, _fault.Message, _fault.RetryAfter);
        if (_phase == allowed || _phase == alsoAllowed) return;

        throw new SchedulingException(
            OutcomeCode.Unavailable,
            _phase == Phase.Created ? "the queue is still being recovered" : "the coordinator is shutting down",
            // Inside the first of Bazel's retries (TRUST 1.2).
            retryAfter: TimeSpan.FromMilliseconds(500));
    }

    private void ThrowUnlessFeeding()
    {
        ThrowUnless(Phase.Serving, Phase.Draining);
        if (_feedsEnd is { } end) throw new SchedulingException(end.Code, end.Message, end.RetryAfter);
    }

    /// <summary>Under the lock: completes when all that was decided so far is durable and told.</summary>
    private Task Durable() => !_open.IsEmpty ? _open.Done : _underWay?.Done ?? Task.CompletedTask;

    /// <summary>Under the lock, after each event of a drain.</summary>
    private void LookForIdle()
    {
        if (_phase == Phase.Serving || _isIdleSeen || !_queue.IsIdle) return;

        _isIdleSeen = true;
        // Whether or not it becomes durable: nothing runs any more.
        Durable().ContinueWith(_ => _idle.SetResult(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>Under the lock, after each event: takes what it did into the open commit and sees that somebody commits it.</summary>
    private Task Enqueue()
    {
        Arm();
        var added = Add();
        LookForIdle();
        return added;
    }

    private Task Add()
    {
        var transitions = _queue.TakeTransitions();
        if (transitions.IsEmpty) return Task.CompletedTask;
        if (_fault is not null) return Task.FromException(_fault);

        var commit = _open;
        commit.Add(transitions);
        if (!_isCommitting)
        {
            _isCommitting = true;
            // Gets as far as the journal, which takes the records and answers later; no thread is woken for less.
            _committing = CommitAllAsync();
        }

        return commit.Done;
    }

    private void Arm()
    {
        if (_phase == Phase.Stopped || _queue.NextDue is not { } due || (_armedFor is { } armed && armed <= due)) return;

        _armedFor = due;
        var wait = due - Now;
        _timer.Change(wait > TimeSpan.Zero ? wait : TimeSpan.Zero, Timeout.InfiniteTimeSpan);
    }

    /// <summary>
    /// Commits until nothing is open. One at a time, which keeps the order; what comes meanwhile shares the next append.
    /// Runs under the lock up to the first append and on the journal's thread after it, so it only hands things on.
    /// </summary>
    private async Task CommitAllAsync()
    {
        while (true)
        {
            Commit commit;
            IReadOnlyList<JournalRecord>? state = null;
            lock (_gate)
            {
                _underWay = null;
                if (_open.IsEmpty)
                {
                    _isCommitting = false;
                    return;
                }

                _underWay = commit = _open;
                _open = new Commit();
                // The state includes what this commit did, and nothing that is not yet in a commit.
                if (commit.Records.Count > 0 && _journal.WantsCompaction) state = _queue.Export();
            }

            List<(ExecutionId Execution, Task Hook)> endings = [];
            try
            {
                endings = StartHooks(commit);
                OfferNewWork(commit);
                if (commit.Records.Count > 0)
                {
                    var durable = _journal.AppendAsync(commit.Records, CancellationToken.None);
                    // After the append and before the next one: the state is as of this commit. Nobody waits for it, and what it cannot
                    // do is tried again when the journal wants it again.
                    if (state is not null) _ = _journal.CompactAsync(state, CancellationToken.None).AsTask();
                    await durable;
                }

                foreach (var _ in commit.Records.OfType<JournalRecord.ExecutionRequeued>()) _observer.Requeued();
                foreach (var effect in commit.Effects) Deliver(effect);
                foreach (var (execution, hook) in endings) Track(execution, PublishAsync(execution, hook));
                commit.Succeed();
            }
            catch (Exception exception)
            {
                // Nobody hears of these ends, but whoever owns what the hooks write to closes it after us.
                foreach (var (execution, hook) in endings) Track(execution, hook);
                Fail(commit, exception);
                return;
            }
        }
    }

    /// <summary>
    /// What we decided may not be durable, and what is durable we cannot know: nobody is told anything any more. A
    /// restart recovers what is there.
    /// </summary>
    private void Fail(Commit commit, Exception exception)
    {
        var fault = new SchedulingException(
            OutcomeCode.Unavailable, $"the operation journal failed, the coordinator must be restarted: {exception.Message}");
        Commit open;
        lock (_gate)
        {
            _fault = fault;
            _stall = null;
            _isCommitting = false;
            _underWay = null;
            (open, _open) = (_open, new Commit());
        }

        _onFaultChanged?.Invoke(fault.Message);

        commit.Fail(fault);
        open.Fail(fault);
        foreach (var (_, cell) in _operations) cell.Close(fault);
        foreach (var (_, session) in _sessions) session.Tell(new WorkerCommand.End(fault.Message));
    }

    private void Deliver(Effect effect)
    {
        switch (effect)
        {
            case Effect.OperationChanged { Operation: var operation }:
                if (_operations.TryGetValue(operation.Name, out var cell))
                    cell.Publish(operation);
                else
                    Show(operation);
                break;

            case Effect.OperationForgotten { Operation: var name }:
                if (_operations.TryRemove(name, out var forgotten)) forgotten.Close(new SchedulingException(OutcomeCode.NotFound, $"{name} was forgotten"));
                break;

            case Effect.WorkerTold { Session: var number, Command: var command }:
                if (_sessions.TryGetValue(number, out var session)) session.Tell(command);
                break;

            case Effect.ExecutionEnded { Execution: var execution }:
                _observer.Ended(execution);
                break;
        }
    }

    private void Show(OperationSnapshot operation)
    {
        var cell = new OperationCell(operation);
        _operations[operation.Name] = cell;
        // All cells may have been closed just before this one was made.
        lock (_gate)
        {
            if (_feedsEnd is null) return;
        }

        cell.Close(_feedsEnd);
    }

    /// <summary>
    /// The one thing told before it is durable: to a worker, a lease on an execution that begins in this very commit. A
    /// frame of the journal is there whole or not at all, so after a crash either both are known or neither, and nobody
    /// asks for the report of a lease that never was. The client hears of its operation when it is durable.
    /// </summary>
    private void OfferNewWork(Commit commit)
    {
        if (commit.Effects.Count == 0 || !commit.Records.Exists(record => record is JournalRecord.ExecutionCreated)) return;

        var created = commit.Records.OfType<JournalRecord.ExecutionCreated>().Select(record => record.Execution).ToHashSet();
        for (int i = 0; i < commit.Effects.Count; i++)
        {
            if (commit.Effects[i] is not Effect.WorkerTold { Command: WorkerCommand.OfferLease offer } told
                || !created.Contains(offer.Lease.Id.Execution)) continue;
            Deliver(told);
            commit.Effects.RemoveAt(i--);
        }
    }

    /// <summary>Beside the append, not after it: both take a disk's time, and the waiters wait for both.</summary>
    private List<(ExecutionId Execution, Task Hook)> StartHooks(Commit commit)
    {
        var hooks = new List<(ExecutionId, Task)>();
        foreach (var effect in commit.Effects)
        {
            if (effect is Effect.ExecutionEnded { Execution: var execution })
                hooks.Add((execution.Id, _onCompleted is null ? Task.CompletedTask : Task.Run(() => CompleteAsync(_onCompleted, execution))));
        }

        return hooks;
    }

    private async Task CompleteAsync(Func<CompletedExecution, CancellationToken, ValueTask> onCompleted, CompletedExecution execution)
    {
        try
        {
            await onCompleted(execution, _stopping.Token);
        }
        catch (Exception)
        {
            // The result is what clients wait for; a cache entry less costs one run later.
            _observer.CompletionFailed();
        }
    }

    private async Task PublishAsync(ExecutionId execution, Task hook)
    {
        await hook;
        lock (_gate)
        {
            _queue.Publish(execution, Now);
            _ = Enqueue();
        }
    }

    /// <summary>A shutdown awaits what is in the table.</summary>
    private void Track(ExecutionId execution, Task ending)
    {
        if (ending.IsCompleted) return;
        _endings[execution] = ending;
        // By the task's own completion: what removed itself as its last step could do so before it is in the table.
        ending.ContinueWith(
            _ => _endings.TryRemove(execution, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
