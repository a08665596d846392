using System.Collections.Concurrent;
using System.Diagnostics;
using Google.Rpc;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// Inputs that are gone and were made by this farm are made again, and their client sees an operation that waits a little longer. Two
/// callers: Execute, whose door finds inputs missing, and a worker's report that it did. Each gets a hold for the execution, or
/// null: then the client is told what to bring, as ever.
/// </summary>
internal sealed class Rederivations : IAsyncDisposable
{
    // Requests that wait so at the same time. A store that was emptied loses inputs of all that is asked, and uploads are quicker then.
    private const int RestorationsMax = 1000;

    // Searches for requests that nothing has been done for: each may read some dozens of whole input trees.
    private const int SearchesMax = 4;

    private static readonly TimeSpan SearchPatience = TimeSpan.FromSeconds(10);

    private readonly Scheduler _scheduler;
    private readonly ProducerTable _producers;
    private readonly IBlobStore _store;
    private readonly ActionDoor _door;
    private readonly ServicesOptions _options;
    private readonly SemaphoreSlim _places;
    private readonly SemaphoreSlim _searches = new(SearchesMax);

    /// <summary>By their executions, until those are over: what was tried for one is not tried again.</summary>
    private readonly ConcurrentDictionary<ExecutionId, Restoration> _restorations = new();

    private readonly ConcurrentDictionary<Task, bool> _endings = new();
    private int _waiting;
    private volatile bool _isOver;

    public Rederivations(Scheduler scheduler, ProducerTable producers, IBlobStore store, ActionDoor door, ServicesOptions options)
    {
        (_scheduler, _producers, _store, _door, _options) = (scheduler, producers, store, door, options);
        _places = new SemaphoreSlim(options.Rederivation.RunningMax);
        scheduler.Ended += OnEnded;
    }

    /// <summary>For a request that has not been queued.</summary>
    /// <param name="request">What will be.</param>
    /// <param name="lost">All inputs that it lacks.</param>
    /// <returns>Null when they cannot be made again.</returns>
    /// <exception cref="RpcException">UNAVAILABLE: they cannot be made now.</exception>
    public async ValueTask<InputHold?> TryHoldAsync(ExecutionRequest request, IReadOnlyList<Digest> lost, CancellationToken cancellationToken)
    {
        try
        {
            return await TryHoldAsync(Begin(request), lost, cancellationToken);
        }
        catch (RederivationFailure failure)
        {
            throw Restoration.NotNow(failure);
        }
    }

    /// <summary>
    /// For an attempt whose worker found inputs missing. What is missing is looked up: a worker's word is not enough to let others run.
    /// If nothing is, it was made since, and the worker is asked once more. What only runs for a restoration is not held: that one makes
    /// what it lacks, within its own bounds.
    /// </summary>
    /// <returns>The outcome, with a hold when the inputs can be made again; UNAVAILABLE when they cannot be made now.</returns>
    public async ValueTask<ExecutionOutcome> TryHoldAsync(
        ExecutionId execution, HeldLease lease, ExecutionOutcome outcome, CancellationToken cancellationToken)
    {
        if (lease.IsRerun) return outcome;

        InputHold? hold = null;
        await Core.ServingLoop.ServeAsync(
            async () =>
            {
                try
                {
                    if (await FindMissingAsync(lease.Request.Action, cancellationToken) is not { } lost) return;
                    var restoration = _restorations.GetValueOrDefault(execution) ?? Begin(lease.Request);
                    hold = lost.Count > 0 ? await TryHoldAsync(restoration, lost, cancellationToken) : Doubt(restoration);
                }
                catch (RederivationFailure failure)
                {
                    outcome = Restoration.Refusal(Restoration.NotNow(failure).ToStatus(), failure.Message);
                }
                catch (RpcException store) when (RederivationFailure.IsPassing((OutcomeCode)store.StatusCode) && !cancellationToken.IsCancellationRequested)
                {
                    outcome = Restoration.Refusal(store.ToStatus(), store.Status.Detail);
                }
            },
            // Its client is told what its worker said.
            obstacle => Trace.TraceWarning($"inputs of {execution} were not looked for: {obstacle.Message}"));
        return hold is null ? outcome : outcome with { Hold = hold };
    }

    /// <summary>Whether a worker says that inputs are missing.</summary>
    public static bool Concerns(ExecutionOutcome outcome, RpcStatus? status) =>
        outcome is { Code: OutcomeCode.FailedPrecondition, Blame: Scheduling.Blame.Client }
        && status?.Details.Any(detail => detail.Is(PreconditionFailure.Descriptor)) == true;

    public async ValueTask DisposeAsync()
    {
        _scheduler.Ended -= OnEnded;
        _isOver = true;
        foreach (var (_, restoration) in _restorations) await restoration.DisposeAsync();
        await Task.WhenAll(_endings.Keys);
        _places.Dispose();
    }

    /// <summary>What its worker lacked is there by now.</summary>
    private InputHold? Doubt(Restoration restoration)
    {
        if (restoration.IsDoubted) return null;
        restoration.IsDoubted = true;
        return new InputHold(execution => Start(restoration, execution, first: []));
    }

    /// <returns>Null when it is not only inputs.</returns>
    private async ValueTask<IReadOnlyList<Digest>?> FindMissingAsync(Digest action, CancellationToken cancellationToken)
    {
        try
        {
            await _door.AdmitAsync(action, trustsMemory: false, cancellationToken);
            return [];
        }
        catch (MissingInputsException inputs)
        {
            return inputs.Action is null ? null : inputs.Missing;
        }
    }

    private Restoration Begin(ExecutionRequest request) => new(
        request, new ProducerSearch(_producers, _store, _door, _options.Rederivation, request),
        _scheduler, _producers, _store, _door, _places, _options);

    private async ValueTask<InputHold?> TryHoldAsync(Restoration restoration, IReadOnlyList<Digest> lost, CancellationToken cancellationToken)
    {
        if (!restoration.Search.KnowsAny(lost)) return null;

        bool isSearching = await _searches.WaitAsync(SearchPatience, cancellationToken);
        try
        {
            if (!isSearching) throw RederivationFailure.Refused("too many look for what made their lost inputs already");
            if (Volatile.Read(ref _waiting) >= RestorationsMax) throw RederivationFailure.Refused($"{RestorationsMax} requests wait for lost inputs already");
            var first = await restoration.Search.FindAsync(lost, waiter: null, cancellationToken);
            return new InputHold(execution => Start(restoration, execution, first));
        }
        catch (RederivationFailure refused)
        {
            _options.Observer.Rederived(new RederivedInputs(restoration.Action, refused.Outcome, Runs: 0, refused.Message));
            if (refused.IsForNow) throw;
            return null;
        }
        finally
        {
            if (isSearching) _searches.Release();
        }
    }

    /// <summary>Under the scheduler's lock.</summary>
    private void Start(Restoration restoration, ExecutionId execution, IReadOnlyList<ProducerRun> first)
    {
        // The next process finds it as it is.
        if (_isOver) return;
        _restorations[execution] = restoration;
        Interlocked.Increment(ref _waiting);
        restoration.Start(execution, first, _options.Observer.Rederived).ContinueWith(
            _ => Interlocked.Decrement(ref _waiting), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private void OnEnded(ExecutionId execution)
    {
        if (!_restorations.TryRemove(execution, out var restoration)) return;

        var ending = restoration.DisposeAsync().AsTask();
        _endings[ending] = true;
        ending.ContinueWith(
            ended => _endings.TryRemove(ended, out _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }
}
