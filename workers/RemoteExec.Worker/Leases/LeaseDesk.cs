using System.Collections.Concurrent;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Takes leases, runs them and sees that the coordinator hears how each ended: by a report that is answered, by the word that it is
/// stopped, or by the word that it is given back. Knows nothing of connecting.
/// </summary>
internal sealed partial class LeaseDesk(string worker, LeaseTable leases, Lines lines, AttemptRunner runAttempt, TimeProvider time, ILogger log)
{
    // The coordinator's own failure, which may pass; so often in a row it is a failure over this very report.
    private const int FailuresMax = 5;

    // Longer than its lease: a report may be answered before an attempt has cleaned up.
    private readonly ConcurrentDictionary<HeldLease, Task> _lives = new();
    private volatile bool _isDraining;

    public void Take(Lease lease)
    {
        if (leases.Add(LeaseKey.Of(lease.Lease_)) is not { } held) return;
        if (_isDraining) held.HandBack(); // on its way while we said that we leave
        // On the pool: the reader must be free for the next lease, and for the cancellation of this one.
        var life = Task.Run(() => LiveAsync(held, lease), CancellationToken.None);
        _lives[held] = life;
        life.ContinueWith(
            _ => _lives.TryRemove(held, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    /// <summary>The coordinator does not want it. It is told when nothing of it lives any more; also when nothing ever did.</summary>
    public void Cancel(LeaseId lease)
    {
        var held = leases.Find(LeaseKey.Of(lease));
        if (held is { State: not LeaseState.Returned })
        {
            held.Cancel();
            return;
        }

        if (held is not null) leases.Forget(held);
        SayStopped(lease);
    }

    /// <summary>The coordinator has a better place for it, unless it has begun.</summary>
    public void Recall(LeaseId lease) => leases.Recall(LeaseKey.Of(lease))?.HandBack();

    /// <summary>The worker will leave: what has not started is given back at once, and nothing starts any more.</summary>
    public void HandBackUnstarted()
    {
        _isDraining = true;
        leases.StartNoMore().ForEach(lease => lease.HandBack());
    }

    /// <summary>Stops what runs, to give it back. Completes when all that is dead.</summary>
    public Task HandBackAllAsync()
    {
        var running = leases.Snapshot().FindAll(lease => lease.State == LeaseState.Running);
        running.ForEach(lease => lease.HandBack());
        return Task.WhenAll(running.Select(lease => lease.WhenDead));
    }

    /// <summary>Says again what has begun: some of it may have while there was no line, when the hello had been written.</summary>
    public void SayStarted() => leases.Running(hasStarted: true).ForEach(SayStarted);

    /// <summary>Says again what was given back on a line that broke before the coordinator said goodbye.</summary>
    public void SayReturned()
    {
        foreach (var lease in leases.In(LeaseState.Returned)) SayReturned(lease);
    }

    /// <summary>The worker ends: whatever is left is stopped, and nothing runs when this completes.</summary>
    public Task AbandonAsync()
    {
        leases.Snapshot().ForEach(lease => lease.Cancel());
        return Task.WhenAll(_lives.Values);
    }

    private async Task LiveAsync(HeldLease held, Lease lease)
    {
        var attempt = await RunAsync(held, lease);
        held.Died();
        var telling = TellAsync(held, attempt.Report);
        await ServingLoop.ServeAsync(attempt.DisposeAsync, failure => LogNotCleanedUp(failure, held.Key.ExecutionId, held.Key.Attempt));
        await telling;
    }

    private async ValueTask<FinishedAttempt> RunAsync(HeldLease held, Lease lease)
    {
        try
        {
            return await runAttempt(lease, waited => Start(held, waited), held.Stop);
        }
        catch (OperationCanceledException) when (held.Stop.IsCancellationRequested)
        {
            return default; // there is nothing to report
        }
        catch (Exception bug)
        {
            // The execution must not hang on a mistake of ours: it is tried elsewhere, and this tells where to look.
            LogAttemptCrashed(bug, held.Key.ExecutionId, held.Key.Attempt);
            return new FinishedAttempt(Failed(lease.Lease_, bug.Message), Remains: null);
        }
    }

    private void Start(HeldLease held, TimeSpan waited)
    {
        held.Waited = waited;
        if (!leases.Start(held))
        {
            held.HandBack(); // if nobody has yet
            held.Stop.ThrowIfCancellationRequested();
        }

        SayStarted(held);
    }

    private async Task TellAsync(HeldLease held, ReportRequest? report)
    {
        if (!held.Unwanted.IsCancellationRequested)
        {
            if (report is null)
            {
                leases.Move(held, LeaseState.Returned);
                SayReturned(held.Key.ToWire());
                return;
            }

            leases.Move(held, LeaseState.Owed);
            await ReportAsync(held, report);
        }

        leases.Forget(held);
        if (held.Unwanted.IsCancellationRequested) SayStopped(held.Key.ToWire());
    }

    /// <summary>
    /// Reports until there is an answer, on whatever line there is. A report that is refused for good is the failure of its own attempt,
    /// and a coordinator that refuses even that does not want to know.
    /// </summary>
    private async Task ReportAsync(HeldLease held, ReportRequest report)
    {
        var backoff = new ReconnectBackoff(Random.Shared);
        bool isOver = false, wasRefused = false;
        int failures = 0;
        while (!isOver && !held.Unwanted.IsCancellationRequested)
        {
            isOver = await ServingLoop.ServeAsync(
                async () =>
                {
                    var line = await lines.NextAsync(held.Unwanted);
                    if (report.CalculateSize() is var bytes && bytes > line.Limits.ReportBytesMax)
                        report = Failed(report.Lease, $"its report takes {bytes} bytes, {line.Limits.ReportBytesMax} are possible");
                    await line.ReportAsync(report, held.Unwanted);
                },
                failure =>
                {
                    if (failure is not RpcException refusal || !IsForGood(refusal.StatusCode)) return;

                    LogReportRefused(held.Key.ExecutionId, held.Key.Attempt, refusal.StatusCode, refusal.Status.Detail);
                    (isOver, wasRefused) = (wasRefused, true);
                    report = Failed(report.Lease, $"its report was refused: {refusal.Status.Detail}");
                }) || isOver;
            if (!isOver)
                await Task.Delay(backoff.Next(lines.Limits.ReconnectWaitMax), time, held.Unwanted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        bool IsForGood(StatusCode code) => code switch
        {
            StatusCode.InvalidArgument or StatusCode.ResourceExhausted => true,
            // UNIMPLEMENTED is what a proxy says whose coordinator is away (a 404 of HTTP): it has not looked at the report.
            StatusCode.Internal or StatusCode.Unknown or StatusCode.Unimplemented => ++failures % FailuresMax == 0,
            _ => false,
        };
    }

    private ReportRequest Failed(LeaseId lease, string reason) => new()
    {
        WorkerId = worker,
        Lease = lease,
        Status = new RpcStatus { Code = (int)StatusCode.Internal, Message = $"worker {worker}: {reason}" },
        Blame = Blame.Worker,
    };

    private void SayStarted(HeldLease held) => lines.Say(new WorkerMessage
    {
        LeaseStarted = new LeaseStarted { Lease = held.Key.ToWire(), Waited = Duration.FromTimeSpan(held.Waited) },
    });

    private void SayStopped(LeaseId lease) => lines.Say(new WorkerMessage { LeaseStopped = new LeaseStopped { Lease = lease } });

    private void SayReturned(LeaseId lease) => lines.Say(new WorkerMessage { LeaseReturned = new LeaseReturned { Lease = lease } });

    [LoggerMessage(EventId = 33, EventName = "attempt_crashed", Level = LogLevel.Error, Message = "attempt {Attempt} of {ExecutionId} crashed the runner")]
    private partial void LogAttemptCrashed(Exception bug, string executionId, int attempt);

    [LoggerMessage(EventId = 34, EventName = "report_refused", Level = LogLevel.Error, Message = "the report of attempt {Attempt} of {ExecutionId} was refused: {Code} {Reason}")]
    private partial void LogReportRefused(string executionId, int attempt, StatusCode code, string reason);

    [LoggerMessage(EventId = 35, EventName = "attempt_not_cleaned_up", Level = LogLevel.Error, Message = "what attempt {Attempt} of {ExecutionId} left was not cleaned up")]
    private partial void LogNotCleanedUp(Exception failure, string executionId, int attempt);
}
