using Microsoft.Extensions.Logging.Abstractions;
using NUnit.Framework;
using RemoteExec.Protocol.V1;
using System.Collections.Concurrent;
using static RemoteExec.Worker.Tests.CoordinatorStreamExtensions;

namespace RemoteExec.Worker.Tests;

/// <summary>A worker's loop whose attempts are promises and whose coordinator is the test.</summary>
[FixtureLifeCycle(LifeCycle.InstancePerTestCase)]
public abstract class WorkerLoopFixture
{
    // One promise per attempt: the test decides when and how it ends.
    private readonly ConcurrentDictionary<string, TaskCompletionSource<ReportRequest>> _attempts = new();

    private protected virtual TimeSpan DrainMax => TimeSpan.FromHours(1);

    private protected virtual TimeProvider Time => TimeProvider.System;

    private protected ScriptedCoordinator Coordinator { get; } = new();

    private protected CancellationTokenSource Drain { get; } = new();

    private protected CancellationTokenSource Hurry { get; } = new();

    private protected Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>What attempts leave behind.</summary>
    private protected SlowRemains? Left { get; set; }

    /// <summary>While it is set, no attempt has a slot to start its command in.</summary>
    private protected TaskCompletionSource? Slots { get; set; }

    /// <summary>What does not die at once when it is told to, until the test lets it.</summary>
    private protected TaskCompletionSource? Dying { get; set; }

    [SetUp]
    public void Start()
    {
        var hello = new Hello { WorkerId = "w", Slots = 2 };
        var (leases, lines) = (new LeaseTable(), new Lines());
        var desk = new LeaseDesk("w", leases, lines, RunAttemptAsync, Time, NullLogger.Instance);
        var loop = new WorkerLoop(hello, Coordinator, leases, desk, lines, DrainMax, Time, new Random(1), NullLogger.Instance);
        Running = loop.RunAsync(Drain.Token, Hurry.Token);
    }

    /// <summary>Leases, and waits until the command runs.</summary>
    private protected static async Task RunAsync(InMemoryCoordinatorStream stream, string execution)
    {
        await stream.LeaseAsync(Id(execution));
        Assert.That((await stream.NextAsync()).LeaseStarted?.Lease, Is.EqualTo(Id(execution)));
    }

    private protected void Finish(string execution, ReportRequest? report = null) =>
        _attempts[execution].SetResult(report ?? new ReportRequest { Status = new RpcStatus() });

    private protected void Crash(string execution, Exception bug) => _attempts[execution].SetException(bug);

    private protected async Task LeaveAsync(InMemoryCoordinatorStream stream)
    {
        await Drain.CancelAsync();
        while (await stream.MoveNext(CancellationToken.None) && stream.Current.MessageCase != WorkerMessage.MessageOneofCase.DrainRequested)
        {
        }
        stream.Complete();
        await Running;
    }

    private async ValueTask<FinishedAttempt> RunAttemptAsync(Lease lease, Action<TimeSpan> started, CancellationToken cancellationToken)
    {
        var attempt = _attempts.GetOrAdd(
            lease.Lease_.ExecutionId, _ => new TaskCompletionSource<ReportRequest>(TaskCreationOptions.RunContinuationsAsynchronously));
        if (Slots is not null) await Slots.Task.WaitAsync(cancellationToken);
        started(TimeSpan.Zero);
        try
        {
            var report = await attempt.Task.WaitAsync(cancellationToken);
            report.Lease = lease.Lease_;
            return new FinishedAttempt(report, Left);
        }
        catch (OperationCanceledException)
        {
            if (Dying is not null) await Dying.Task;
            return new FinishedAttempt(Report: null, Left);
        }
    }

    private protected sealed class UnheardOfException() : Exception("unheard of");

    /// <summary>A work directory that takes its time to be given back.</summary>
    private protected sealed class SlowRemains : IAsyncDisposable
    {
        public TaskCompletionSource Begun { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource End { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public async ValueTask DisposeAsync()
        {
            Begun.SetResult();
            await End.Task;
        }
    }
}
