using System.Diagnostics;
using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf;
using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Scheduling;
using RemoteExec.Storage;

namespace RemoteExec.Services;

/// <summary>
/// One held execution on its way to its inputs:
/// <code>
/// producers run, those that need nothing first -> are all inputs there? -> released, or once more for what was hidden below a lost directory
/// </code>
/// At the end the store says what is true: whoever has all inputs by then goes on, whoever brought them; else the client is told what is missing.
/// </summary>
internal sealed class Restoration(
    ExecutionRequest request, ProducerSearch search, Scheduler scheduler, ProducerTable producers, IBlobStore store, ActionDoor door,
    SemaphoreSlim places, ServicesOptions options) : IAsyncDisposable
{
    // Of one run whose worker finds inputs missing: some were lost since it was admitted, or it saw them before they were made.
    private const int TriesMax = 3;

    private readonly CancellationTokenSource _over = new();
    private Task _running = Task.CompletedTask;
    private int _runs;

    public Digest Action => request.Action;

    public ProducerSearch Search => search;

    /// <summary>A worker has said that something is missing which is there. Said a second time it is believed.</summary>
    public bool IsDoubted { get; set; }

    /// <summary>Begins, elsewhere: once for each time that the execution is held.</summary>
    /// <param name="first">What runs first.</param>
    /// <param name="tell">Told what came of it, unless nobody waits for that any more.</param>
    /// <returns>Completes when it is over.</returns>
    public Task Start(ExecutionId execution, IReadOnlyList<ProducerRun> first, Action<RederivedInputs> tell)
    {
        var running = Task.Run(async () => await Core.ServingLoop.ServeAsync(
            async () =>
            {
                if (await RunAsync(execution, first) is { } ended) tell(ended);
            },
            failure =>
            {
                Trace.TraceError(failure.ToString());
                // Nobody else would ever end it.
                scheduler.Refuse(execution, Refusal(RpcErrors.Of(StatusCode.Internal, $"lost inputs were not made again: {failure.Message}").ToStatus(), failure.Message));
            }));
        // One that was there before has released the execution, and is about to end.
        _running = Task.WhenAll(_running, running);
        return running;
    }

    /// <summary>Nobody waits for the inputs any more: what only this has asked for ends with it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await _running;
        search.Dispose();
        _over.Dispose();
    }

    /// <summary>Returns when the execution has been released or has ended, or when it goes on in another process.</summary>
    /// <returns>What came of it; null when nobody waits for that any more.</returns>
    private async Task<RederivedInputs?> RunAsync(ExecutionId execution, IReadOnlyList<ProducerRun> first)
    {
        int runsBefore = _runs;
        try
        {
            var failure = await TryMakeAllAsync(first);
            bool goesOn = failure is null ? scheduler.Release(execution) : await SettleAsync(execution, failure);
            bool isNothing = failure is null && first.Count == 0 && _runs == runsBefore;
            return goesOn && !isNothing ? new RederivedInputs(request.Action, failure?.Outcome ?? RederivationOutcome.Restored, _runs - runsBefore, failure?.Message ?? "") : null;
        }
        catch (OperationCanceledException) when (_over.IsCancellationRequested)
        {
            return null;
        }
        catch (SchedulingException) when (scheduler.IsLeaving)
        {
            // Queued as it is, it is found by the next process, whose worker will lack the same.
            return null;
        }
    }

    /// <returns>What came in the way, whatever it was; null when all inputs are there.</returns>
    private async Task<RederivationFailure?> TryMakeAllAsync(IReadOnlyList<ProducerRun> first)
    {
        try
        {
            // What others run for it is worth nothing any more when one of them fails.
            using var making = CancellationTokenSource.CreateLinkedTokenSource(_over.Token);
            await MakeAsync(first, making);
            await AdmitAsync(request.Action, waiter: null, making);
            return null;
        }
        catch (RederivationFailure failure)
        {
            return failure;
        }
        catch (Exception failure) when (!_over.IsCancellationRequested && !(failure is SchedulingException && scheduler.IsLeaving))
        {
            // Also what nobody thought of: the execution must not wait for ever (DESIGN D8).
            if (failure is not (RpcException or SchedulingException)) Trace.TraceError(failure.ToString());
            return failure switch
            {
                RpcException rpc => new(RederivationOutcome.Failed, rpc.Status.Detail, RederivationFailure.IsPassing((OutcomeCode)rpc.StatusCode)),
                SchedulingException refused => new(RederivationOutcome.Failed, refused.Message, RederivationFailure.IsPassing(refused.Code)),
                _ => new(RederivationOutcome.Failed, failure.Message),
            };
        }
    }

    private Task MakeAsync(IReadOnlyList<ProducerRun> runs, CancellationTokenSource making) =>
        Task.WhenAll(runs.Select(run => run.RunOnce(next => RunAsync(next, making))));

    private async Task RunAsync(ProducerRun run, CancellationTokenSource making)
    {
        try
        {
            await MakeAsync(run.Needs, making);
            await ProduceAsync(run, making);
        }
        catch
        {
            await making.CancelAsync();
            throw;
        }
    }

    /// <summary>The action when it has all its inputs, for which others may have to run.</summary>
    /// <param name="waiter">Its run; null for the request itself.</param>
    private async Task<AdmittedAction> AdmitAsync(Digest action, ProducerRun? waiter, CancellationTokenSource making)
    {
        while (true)
        {
            IReadOnlyList<Digest> missing;
            try
            {
                return await door.AdmitAsync(action, trustsMemory: false, making.Token);
            }
            catch (MissingInputsException inputs) when (inputs.Action is not null)
            {
                missing = inputs.Missing;
            }
            catch (MissingInputsException inputs)
            {
                throw RederivationFailure.Refused($"{inputs.First} of {action} is gone");
            }

            await MakeAsync(await search.FindAsync(missing, waiter, making.Token), making);
        }
    }

    private async Task ProduceAsync(ProducerRun run, CancellationTokenSource making)
    {
        for (int tries = 1; ; tries++)
        {
            var action = await AdmitAsync(run.Action, run, making);
            // Another request may have had it made meanwhile.
            if (await ExecuteAsync(run, action, making.Token) is not { } outcome) return;
            // Something else was lost since. Nobody holds a re-run: what it lacks is made here, within the bounds of this request.
            if (LacksInputs(outcome) && tries < TriesMax) continue;
            MustHaveRun(run, outcome);
            break;
        }

        var lost = await store.FindMissingAsync(run.Wanted, making.Token);
        if (lost.Count == 0) return;
        foreach (var output in lost) producers.Forget(request.Instance, output);
        throw ProducerSearch.Other(run.Action, lost[0]);
    }

    /// <returns>How it ended; null when nothing had to run any more.</returns>
    private async Task<ExecutionOutcome?> ExecuteAsync(ProducerRun run, AdmittedAction action, CancellationToken cancellationToken)
    {
        await places.WaitAsync(cancellationToken);
        bool hasPlace = true;
        try
        {
            if ((await store.FindMissingAsync(run.Wanted, cancellationToken)).Count == 0) return null;

            var asked = ExecutionRequests.Of(request.Instance, action, options.ActionTimeoutDefault) with
            {
                Priority = request.Priority, Origin = request.Origin, IsRerun = true,
            };
            // An equal run that is under way is joined, whoever asked for it. When we leave, the next process may want it.
            using var feed = await scheduler.SubmitAsync(asked, () => !scheduler.IsLeaving, cancellationToken);
            await foreach (var operation in feed.ReadAllAsync(Timeout.InfiniteTimeSpan, cancellationToken))
            {
                if (operation.IsDone)
                {
                    Interlocked.Increment(ref _runs);
                    return operation.Outcome;
                }

                // What is joined may be a client's that waits for places itself: whoever has one waits for workers, and for nothing else.
                if (!operation.IsHeld || !hasPlace) continue;
                hasPlace = false;
                places.Release();
            }

            throw new UnreachableException("a feed ends with a state that is done or with an exception");
        }
        finally
        {
            if (hasPlace) places.Release();
        }
    }

    private static void MustHaveRun(ProducerRun run, ExecutionOutcome outcome)
    {
        if (outcome.Code != OutcomeCode.Ok)
        {
            throw new RederivationFailure(
                RederivationOutcome.Failed, $"action {run.Action} ran again and ended with {outcome.Code}: {outcome.Message}", RederivationFailure.IsPassing(outcome.Code));
        }

        if (outcome.ExitCode != 0)
            throw new RederivationFailure(RederivationOutcome.Failed, $"action {run.Action} ran again and ended with exit code {outcome.ExitCode}");
    }

    // Said by a worker: who is refused for want of a platform has no response.
    private static bool LacksInputs(ExecutionOutcome outcome) =>
        outcome is { Code: OutcomeCode.FailedPrecondition, Blame: Scheduling.Blame.Client, Response.IsEmpty: false };

    /// <summary>It did not go well. Perhaps somebody brought the inputs meanwhile; else the client is told what to bring.</summary>
    private async Task<bool> SettleAsync(ExecutionId execution, RederivationFailure failure)
    {
        RpcStatus status;
        try
        {
            await door.AdmitAsync(request.Action, trustsMemory: false, _over.Token);
            return scheduler.Release(execution);
        }
        catch (MissingInputsException inputs)
        {
            status = failure.IsForNow ? NotNow(failure).ToStatus() : RpcErrors.MissingBlobsStatus(inputs.Missing, inputs.First);
        }
        catch (RpcException refused)
        {
            status = refused.ToStatus();
        }
        catch (Exception obstacle) when (obstacle is not SchedulingException && !_over.IsCancellationRequested)
        {
            Trace.TraceError(obstacle.ToString());
            status = new RpcStatus { Code = (int)StatusCode.Internal, Message = $"whether all inputs are there cannot be checked: {obstacle.Message}" };
        }

        return scheduler.Refuse(execution, Refusal(status, failure.Message));
    }

    /// <summary>The end of an execution whose inputs were not made.</summary>
    public static ExecutionOutcome Refusal(RpcStatus status, string reason) => new()
    {
        Code = (OutcomeCode)status.Code,
        Message = status.Message,
        Blame = Scheduling.Blame.Client,
        Response = new ExecuteResponse { Status = status, Message = $"lost inputs were not made again: {reason}" }.ToByteArray(),
    };

    public static RpcException NotNow(RederivationFailure failure) => RpcErrors.Unavailable($"lost inputs are not made again for now: {failure.Message}");
}
