using System.Buffers.Binary;
using System.Diagnostics;
using System.Security.Cryptography;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// The queue in motion: one lock around <see cref="BuildQueue"/>, the journal behind it (<see cref="CommitPipeline"/>), and the doors for
/// clients and workers (DESIGN D2).
/// <code>
/// event -> lock { BuildQueue } -> one append for all that came meanwhile -> tell, in order
/// </code>
/// </summary>
public sealed class Scheduler : IAsyncDisposable
{
    // An action cache write takes milliseconds; a shutdown does not wait for a dead disk.
    private static readonly TimeSpan HookPatience = TimeSpan.FromSeconds(5);

    private readonly Lock _gate = new();
    private readonly BuildQueue _queue;
    private readonly Audience _audience;
    private readonly Completions _completions;
    private readonly CommitPipeline _pipeline;
    private readonly IOperationJournal _journal;
    private readonly TimeProvider _time;
    private readonly long _origin;
    private readonly Action<string?>? _onFaultChanged;
    private readonly ISchedulingObserver _observer;
    private readonly ServingState _state = new();
    private readonly Alarm _alarm;
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private bool _isIdleSeen;

    /// <param name="onCompleted">
    /// Runs once for each execution that ends, while its end becomes durable and before its waiters know: the action
    /// cache is written here, so that a client that asks again finds the result. Until it returns, equal requests still
    /// join the execution. Its failure is counted and costs the cache entry, not the result.
    /// </param>
    /// <param name="onFaultChanged">Told each change of <see cref="Fault"/>; returns at once. What it throws changes nothing.</param>
    public Scheduler(
        SchedulerOptions options,
        IOperationJournal journal,
        TimeProvider time,
        Func<CompletedExecution, CancellationToken, ValueTask>? onCompleted = null,
        Action<string?>? onFaultChanged = null)
    {
        Options = options;
        _time = time;
        _origin = time.GetTimestamp();
        _journal = journal;
        _observer = options.Observer;
        _onFaultChanged = onFaultChanged;
        _queue = new BuildQueue(options, RandomBits);
        _audience = new Audience(_observer);
        _completions = new Completions(onCompleted, Publish, _observer);
        _pipeline = new CommitPipeline(
            _gate, journal, _audience, _completions, new Compaction(_gate, _queue, journal, time), OnJournalFailed);
        _journal.StallChanged += OnStallChanged;
        _alarm = new Alarm(time, Tick);
    }

    public SchedulerOptions Options { get; }

    /// <summary>Tells each execution that is over, before its waiters know. Be quick, never wait; what it throws changes nothing.</summary>
    public event Action<ExecutionId>? Ended;

    /// <summary>Feeds have ended, or the journal has failed: what goes on from here goes on in the next process.</summary>
    public bool IsLeaving => _state.IsLeaving;

    /// <summary>Why nothing is accepted, for now or until a restart; null while all is well. For readiness.</summary>
    public string? Fault => _state.Fault;

    /// <summary>
    /// Completes after <see cref="BeginDrain"/>, when nothing is leased or runs any more and every end has been told; also when none
    /// can be told any more.
    /// </summary>
    public Task WhenIdle => _idle.Task;

    private Instant Now => new(_time.GetElapsedTime(_origin), _time.GetUtcNow());

    /// <summary>Recovers what was acknowledged before; nothing is accepted earlier.</summary>
    /// <exception cref="JournalException">The journal cannot be read or is damaged.</exception>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var records = await _journal.RecoverAsync(cancellationToken);
        Task durable;
        lock (_gate)
        {
            _queue.Recover(records, Now);
            _state.Begin();
            durable = Commit();
        }

        await durable.WaitAsync(cancellationToken);
    }

    /// <inheritdoc cref="SubmitAsync(ExecutionRequest, InputHold?, Func{bool}, CancellationToken)"/>
    public ValueTask<OperationFeed> SubmitAsync(ExecutionRequest request, CancellationToken cancellationToken) =>
        SubmitAsync(request, NeverCancelled, cancellationToken);

    /// <inheritdoc cref="SubmitAsync(ExecutionRequest, InputHold?, Func{bool}, CancellationToken)"/>
    public ValueTask<OperationFeed> SubmitAsync(ExecutionRequest request, Func<bool> hasCancelled, CancellationToken cancellationToken) =>
        SubmitAsync(request, hold: null, hasCancelled, cancellationToken);

    /// <summary>Joins or creates an execution. Returns when that is durable; the feed counts as a watcher until it is disposed.</summary>
    /// <param name="hold">What is created waits for inputs. What is joined has a way of its own.</param>
    /// <param name="hasCancelled">
    /// Asked when the feed is disposed, or does not come about: the client said that it does not want this any more. Otherwise it may come
    /// back, and is waited for.
    /// </param>
    /// <exception cref="SchedulingException">RESOURCE_EXHAUSTED when too much waits, UNAVAILABLE once feeds have ended or without a journal.</exception>
    public async ValueTask<OperationFeed> SubmitAsync(
        ExecutionRequest request, InputHold? hold, Func<bool> hasCancelled, CancellationToken cancellationToken)
    {
        string name;
        int watch;
        Task durable;
        lock (_gate)
        {
            _state.MustTakeMore();
            var operation = _queue.Submit(request, Now, hold);
            (name, watch) = (operation.Name, operation.Watches);
            if (operation.IsMerged) _observer.Merged();
            durable = Commit();
        }

        try
        {
            await durable.WaitAsync(cancellationToken);
            var cell = _audience.Find(name) ?? throw new SchedulingException(OutcomeCode.NotFound, $"{name} was forgotten");
            return new OperationFeed(cell, _time, () => Unwatch(name, watch, hasCancelled()));
        }
        catch
        {
            Unwatch(name, watch, hasCancelled());
            throw;
        }
    }

    /// <summary>The inputs of a held execution are there: it goes on. False when it is not held any more.</summary>
    /// <exception cref="SchedulingException">UNAVAILABLE: no longer, or without a journal.</exception>
    public bool Release(ExecutionId execution) => Change(queue => queue.Release(execution, Now));

    /// <summary>The inputs of a held execution cannot be made: this is its end. False when it is not held any more.</summary>
    /// <exception cref="SchedulingException">UNAVAILABLE: no longer, or without a journal.</exception>
    public bool Refuse(ExecutionId execution, ExecutionOutcome outcome) => Change(queue => queue.Refuse(execution, outcome, Now));

    /// <inheritdoc cref="Watch(string, Func{bool})"/>
    public OperationFeed? Watch(string operationName) => Watch(operationName, NeverCancelled);

    /// <summary>One more feed on an operation (REAPI WaitExecution); null when it is unknown.</summary>
    /// <param name="hasCancelled">As when submitting.</param>
    public OperationFeed? Watch(string operationName, Func<bool> hasCancelled)
    {
        lock (_gate)
        {
            _state.MustFeed();
            if (_audience.Find(operationName) is not { } cell || _queue.Watch(operationName, Now) is not { } watch) return null;
            _ = Commit();

            return new OperationFeed(cell, _time, () => Unwatch(operationName, watch, hasCancelled()));
        }
    }

    public OperationSnapshot? Find(string operationName) => _audience.Find(operationName)?.Current;

    /// <summary>All operations that can be asked for, in no particular order. For pages of the house: a name is the right to watch and to cancel.</summary>
    public IReadOnlyList<OperationSnapshot> List() => [.. _audience.Operations];

    /// <summary>Those of one instance: what a client may be shown.</summary>
    public IReadOnlyList<OperationSnapshot> List(InstanceName instance) =>
        [.. _audience.Operations.Where(operation => operation.Request.Instance == instance)];

    /// <summary>Operations that are not done, in the order in which they were accepted, at most so many; costs no more than those.</summary>
    public IReadOnlyList<OperationSnapshot> ListLive(int count)
    {
        OperationSnapshot[] live;
        lock (_gate) live = [.. _queue.Live.Take(count).Select(operation => operation.ToSnapshot())];
        return [.. live.Select(WhereItWaits).OfType<OperationSnapshot>()];
    }

    /// <summary>What was told, and where it waits now: its client is not told of that, and it is no secret before it is durable.</summary>
    private OperationSnapshot? WhereItWaits(OperationSnapshot now) =>
        Find(now.Name) is { } told ? told with { IsAhead = now.IsAhead && !told.IsDone, WaitedThere = now.WaitedThere } : null;

    /// <summary>An operation on this execution that is not done; null when there is none.</summary>
    public OperationSnapshot? FindLive(ExecutionId execution)
    {
        OperationSnapshot? live;
        lock (_gate) live = _queue.FindLive(execution)?.ToSnapshot();
        return live is null ? null : WhereItWaits(live);
    }

    /// <summary>
    /// Ends one client's operation, and the execution if nobody else waits. False when it is unknown; idempotent. Cancelling the call
    /// ends only the wait for the answer: the wish is heard.
    /// </summary>
    public ValueTask<bool> CancelAsync(string operationName, CancellationToken cancellationToken) =>
        ChangeAsync(operationName, static (queue, name, now) => queue.Cancel(name, now), cancellationToken);

    /// <summary>Forgets an operation that is done. False when it is unknown.</summary>
    /// <exception cref="SchedulingException">FAILED_PRECONDITION while it is not done.</exception>
    public ValueTask<bool> DeleteAsync(string operationName, CancellationToken cancellationToken) =>
        ChangeAsync(operationName, static (queue, name, _) => queue.Delete(name), cancellationToken);

    /// <summary>A worker connects. A newer session of the same worker takes over from an older one.</summary>
    public WorkerSession Join(WorkerDescription description)
    {
        lock (_gate)
        {
            _state.MustServe();
            var session = new WorkerSession(this, description, _queue.Join(description, Now));
            // Before the commands go out, or the first one would find nobody.
            _audience.Add(session);
            _ = Commit();
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
        var verdict = await ChangeAsync(
            (WorkerId: workerId, Lease: lease, Outcome: outcome),
            static (queue, report, now) => queue.Report(report.WorkerId, report.Lease, report.Outcome, now),
            cancellationToken);
        if (verdict == ReportVerdict.Stale) _observer.StaleReport();
        return verdict;
    }

    public QueueSnapshot Snapshot()
    {
        lock (_gate) return _queue.Snapshot(Now);
    }

    /// <summary>
    /// Leases nothing more. All else goes on: requests are journalled and queued for the next process, feeds stay open, workers
    /// join and report.
    /// </summary>
    public void BeginDrain()
    {
        lock (_gate)
        {
            if (!_state.BeginDrain()) return;
            _queue.StopLeasing();
            LookForIdle();
        }
    }

    /// <summary>Ends every feed that has not seen its end with UNAVAILABLE, so that clients attach again, and opens no more.</summary>
    public void EndFeeds()
    {
        SchedulingException end;
        lock (_gate) end = _state.EndFeeds();
        _audience.EndFeeds(end);
    }

    /// <summary>
    /// Ends all feeds and sessions and awaits what is under way, as long as there is patience: then hooks are asked to give up, and
    /// nothing more is waited for. The journal stays open: it belongs to whoever opened it. What runs on workers that outlive this
    /// process is not lost: they rejoin.
    /// </summary>
    /// <param name="outOfPatience">Cancelled when it has taken long enough.</param>
    public async Task StopAsync(CancellationToken outOfPatience)
    {
        lock (_gate)
        {
            if (_state.IsStopped) return;
        }

        BeginDrain();
        EndFeeds();
        lock (_gate) _state.Stop();

        await _alarm.DisposeAsync();
        _audience.EndSessions("the coordinator shuts down");
        await using (outOfPatience.Register(_completions.GiveUp))
        {
            // A compaction that is under way is the journal's, which ends it or drops it when it is closed. A full disk may stay full and
            // a broken one silent: what waits for it is not acknowledged, and whoever asked will ask again.
            while ((_pipeline.UnderWay() ?? _completions.UnderWay()) is { } task && !outOfPatience.IsCancellationRequested)
                await task.WaitAsync(outOfPatience).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        _journal.StallChanged -= OnStallChanged;
        _completions.Dispose();
        _idle.TrySetResult();
    }

    /// <summary><see cref="StopAsync"/> with a patience of its own, for who has no limit to keep.</summary>
    public async ValueTask DisposeAsync()
    {
        using var patience = new CancellationTokenSource(HookPatience, _time);
        await StopAsync(patience.Token);
    }

    /// <summary>What a worker says on its stream. Nobody waits for what comes of it: the next word must be heard at once.</summary>
    internal void Hear(Action<BuildQueue, Instant> word)
    {
        lock (_gate)
        {
            if (_state.IsStopped) return;
            word(_queue, Now);
            _ = Commit();
        }
    }

    internal void Disconnect(WorkerSession session)
    {
        _audience.Remove(session);
        // When we are the ones who leave, nothing is lost: the journal keeps the leases for when workers rejoin.
        Hear((queue, now) => queue.Disconnected(session.WorkerId, session.Number, now));
    }

    private static bool NeverCancelled() => false;

    private void Unwatch(string operationName, int watch, bool isCancelled) => Hear((queue, now) =>
    {
        queue.Unwatch(operationName, watch, isCancelled, now);
        if (!isCancelled && !_state.IsDraining && queue.Find(operationName) is { IsDone: false, Watchers: 0 } lost)
            Observers.Tell(Options.ClientLost, lost.ToSnapshot(), static (tell, operation) => tell(operation));
    });

    private void Publish(ExecutionId execution)
    {
        Observers.Tell(Ended, execution, static (tell, over) => tell(over));
        lock (_gate)
        {
            _queue.Publish(execution, Now);
            _ = Commit();
        }
    }

    private TAnswer Change<TAnswer>(Func<BuildQueue, TAnswer> change)
    {
        lock (_gate)
        {
            _state.MustServe();
            var answer = change(_queue);
            _ = Commit();
            return answer;
        }
    }

    /// <summary>Returns when the change, or what made it idle, is durable.</summary>
    private async ValueTask<TAnswer> ChangeAsync<TWish, TAnswer>(
        TWish wish, Func<BuildQueue, TWish, Instant, TAnswer> change, CancellationToken cancellationToken)
    {
        TAnswer answer;
        Task durable;
        lock (_gate)
        {
            _state.MustServe();
            answer = change(_queue, wish, Now);
            _ = Commit();
            // Also when nothing changed: it may be so by what is not durable yet.
            durable = _pipeline.Settled();
        }

        await durable.WaitAsync(cancellationToken);
        return answer;
    }

    // A name is the right to watch and to cancel, so it must not be guessed.
    private static UInt128 RandomBits() => BinaryPrimitives.ReadUInt128BigEndian(RandomNumberGenerator.GetBytes(16));

    private void Tick()
    {
        lock (_gate)
        {
            _alarm.Reset();
            if (_state.IsStill || _state.IsStalled) return;
            _queue.Tick(Now);
            _ = Commit();
        }
    }

    private void OnStallChanged(string? reason)
    {
        lock (_gate)
        {
            _state.Stall(reason);
            if (reason is null) SetAlarm();
        }

        FaultChanged(reason);
    }

    private void OnJournalFailed(SchedulingException fault)
    {
        lock (_gate) _state.Fail(fault);
        FaultChanged(fault.Message);
        _audience.EndFeeds(fault);
        _audience.EndSessions(fault.Message);
        _idle.TrySetResult();
    }

    // Told by the journal's own thread, which has others to serve.
    private void FaultChanged(string? reason) =>
        ServingLoop.Serve(() => _onFaultChanged?.Invoke(reason), failure => Trace.TraceError(failure.ToString()));

    /// <summary>Under the lock, after each event: what it did is on its way. Completes when that is durable and told.</summary>
    private Task Commit()
    {
        SetAlarm();
        var durable = _pipeline.Add(_queue.TakeTransitions());
        LookForIdle();
        return durable;
    }

    private void LookForIdle()
    {
        if (!_state.IsDraining || _isIdleSeen || !_queue.IsIdle) return;

        _isIdleSeen = true;
        // Whether or not it becomes durable: nothing runs any more.
        _pipeline.Settled().ContinueWith(
            _ => _idle.TrySetResult(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private void SetAlarm()
    {
        if (!_state.IsStopped && _queue.NextDue is { } due && _alarm.IsLateFor(due)) _alarm.Set(due, Now.Monotonic);
    }
}
