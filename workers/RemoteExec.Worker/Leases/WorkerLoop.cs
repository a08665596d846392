using System.Collections.Concurrent;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Takes leases, runs them, reports them, for as long as the worker lives. Connections come and go; leases and
/// reports stay in the <see cref="LeaseTable"/> until the coordinator has spoken.
/// </summary>
internal sealed partial class WorkerLoop(
    Hello hello, IWorkerConnector connector, AttemptRunner runAttempt, TimeSpan drainMax, TimeProvider time, Random random, ILogger log)
{
    // A coordinator that knows of nothing here ends the stream at once; longer means it is not listening.
    private static readonly TimeSpan GoodbyeWait = TimeSpan.FromSeconds(5);

    private readonly LeaseTable _leases = new();
    // Longer than its lease: an acknowledgement may come before an attempt has cleaned up.
    private readonly ConcurrentDictionary<HeldLease, Task> _attempts = new();

    private readonly Lock _connectionLock = new();
    private IWorkerConnection? _connection; // the one that has been welcomed, and so may carry reports

    /// <summary>Runs until drained, or until the coordinator refuses this worker for good.</summary>
    /// <param name="drain">Cancelled when the worker should finish what it runs and leave.</param>
    /// <exception cref="RpcException">The coordinator will never take this worker as it is.</exception>
    public async Task RunAsync(CancellationToken drain)
    {
        using var leave = new CancellationTokenSource();
        var leaving = LeaveAfterDrainAsync(leave, drain);
        var backoff = new ReconnectBackoff(random);
        try
        {
            while (!leave.IsCancellationRequested && !(drain.IsCancellationRequested && _leases.WhenEmpty().IsCompleted))
            {
                var ended = await ServeOneConnectionAsync(backoff, drain, leave.Token);
                if (ended is StreamEnd.Dismissed) return;
                await WaitAsync(backoff.Next(), drain, leave.Token);
            }
        }
        finally
        {
            await AbandonAllAsync();
            await leave.CancelAsync();
            await leaving;
        }
    }

    /// <summary>The wait before the next connection. A drain that comes during it is heeded at once: nothing may be held.</summary>
    private async Task WaitAsync(TimeSpan wait, CancellationToken drain, CancellationToken leave)
    {
        var first = drain.IsCancellationRequested ? CancellationToken.None : drain;
        using var either = CancellationTokenSource.CreateLinkedTokenSource(first, leave);
        await Task.Delay(wait, time, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    private async Task<StreamEnd> ServeOneConnectionAsync(ReconnectBackoff backoff, CancellationToken drain, CancellationToken leave)
    {
        try
        {
            await using var connection = await connector.ConnectAsync(leave);
            return await ServeAsync(connection, backoff, drain, leave);
        }
        catch (OperationCanceledException) when (leave.IsCancellationRequested)
        {
            return StreamEnd.Broken;
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.InvalidArgument or StatusCode.Unimplemented)
        {
            throw; // the same words would be refused again
        }
        catch (Exception broken) when (broken is RpcException or IOException or OperationCanceledException)
        {
            LogDisconnected(broken is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : broken.Message);
            return StreamEnd.Broken;
        }
        finally
        {
            lock (_connectionLock) _connection = null;
        }
    }

    /// <summary>One life of the stream: hello, welcome, what is still owed, then whatever comes.</summary>
    private async Task<StreamEnd> ServeAsync(
        IWorkerConnection connection, ReconnectBackoff backoff, CancellationToken drain, CancellationToken leave)
    {
        var greeting = hello.Clone();
        greeting.Running.AddRange(_leases.All());
        await connection.SendAsync(new WorkerMessage { Hello = greeting }, leave);
        if (await connection.ReceiveAsync(leave) is not { MessageCase: CoordinatorMessage.MessageOneofCase.Welcome } first)
            throw new RpcException(new Status(StatusCode.Internal, "the coordinator did not say welcome"));

        backoff.Reset();
        LogJoined(hello.WorkerId, first.Welcome.CoordinatorVersion);
        List<LeaseFinished> owed;
        lock (_connectionLock)
        {
            // One instant for both: a report is either in this list or sends itself on this connection.
            _connection = connection;
            owed = _leases.Unacknowledged();
        }
        foreach (var report in owed)
            await connection.SendAsync(new WorkerMessage { LeaseFinished = report }, leave);

        using var ended = CancellationTokenSource.CreateLinkedTokenSource(leave);
        var heartbeats = SendHeartbeatsAsync(connection, first.Welcome.HeartbeatInterval.ToTimeSpan(), ended.Token);
        var draining = AskToDrainAsync(connection, drain, ended.Token);
        try
        {
            while (await connection.ReceiveAsync(ended.Token) is { } message)
                Handle(message);
            return drain.IsCancellationRequested ? StreamEnd.Dismissed : StreamEnd.Orderly;
        }
        finally
        {
            await ended.CancelAsync();
            await Task.WhenAll(heartbeats, draining);
        }
    }

    private void Handle(CoordinatorMessage message)
    {
        switch (message.MessageCase)
        {
            case CoordinatorMessage.MessageOneofCase.Lease:
                Take(message.Lease);
                break;
            case CoordinatorMessage.MessageOneofCase.CancelLease:
                // Unknown ones are old news: the attempt ended while the message travelled.
                _leases.Find(LeaseKey.Of(message.CancelLease.Lease))?.Cancel();
                break;
            case CoordinatorMessage.MessageOneofCase.FinishAcknowledged:
                _leases.Acknowledge(LeaseKey.Of(message.FinishAcknowledged.Lease));
                break;
        }
    }

    private void Take(Lease lease)
    {
        if (_leases.Add(LeaseKey.Of(lease.Lease_)) is not { } held) return;
        // On the pool: the reader must be free for the next lease, and for the cancellation of this one.
        var attempt = Task.Run(() => RunAsync(held, lease), CancellationToken.None);
        _attempts[held] = attempt;
        attempt.ContinueWith(
            _ => _attempts.TryRemove(held, out Task? _), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task RunAsync(HeldLease held, Lease lease)
    {
        await using var attempt = await RunAttemptAsync(held, lease);
        if (held.Cancelled.IsCancellationRequested)
        {
            _leases.Remove(held);
            return;
        }
        IWorkerConnection? connection;
        lock (_connectionLock)
        {
            _leases.SetReport(held, attempt.Report);
            connection = _connection;
        }
        await TrySendAsync(connection, new WorkerMessage { LeaseFinished = attempt.Report }, CancellationToken.None);
    }

    private async ValueTask<FinishedAttempt> RunAttemptAsync(HeldLease held, Lease lease)
    {
        try
        {
            return await runAttempt(lease, new Reporter(this, held.Key.ToWire()), held.Cancelled);
        }
        catch (OperationCanceledException) when (held.Cancelled.IsCancellationRequested)
        {
            return default; // nobody wants that report
        }
        catch (Exception bug)
        {
            // The execution must not hang on a mistake of ours: it is tried elsewhere, and this tells where to look.
            LogAttemptCrashed(bug, held.Key.ExecutionId, held.Key.Attempt);
            var report = new LeaseFinished
            {
                Lease = held.Key.ToWire(),
                Status = new RpcStatus { Code = (int)StatusCode.Internal, Message = $"worker {hello.WorkerId}: {bug.Message}" },
            };
            return new FinishedAttempt(report, Remains: null);
        }
    }

    private ValueTask TrySendAsync(WorkerMessage message, CancellationToken cancellationToken)
    {
        IWorkerConnection? connection;
        lock (_connectionLock) connection = _connection;
        return TrySendAsync(connection, message, cancellationToken);
    }

    /// <summary>A failed send is no event of its own: the reader sees the same break, and the reconnect sends what is owed.</summary>
    private static async ValueTask TrySendAsync(IWorkerConnection? connection, WorkerMessage message, CancellationToken cancellationToken)
    {
        if (connection is null) return;
        try
        {
            await connection.SendAsync(message, cancellationToken);
        }
        catch (Exception broken) when (broken is RpcException or IOException or ObjectDisposedException or InvalidOperationException)
        {
            // The reader of this connection tells, and what is owed is sent on the next.
        }
    }

    private async Task SendHeartbeatsAsync(IWorkerConnection connection, TimeSpan interval, CancellationToken ended)
    {
        using var timer = new PeriodicTimer(interval > TimeSpan.Zero ? interval : TimeSpan.FromSeconds(10), time);
        try
        {
            while (await timer.WaitForNextTickAsync(ended))
            {
                var heartbeat = new Heartbeat();
                heartbeat.Running.AddRange(_leases.Running());
                await TrySendAsync(connection, new WorkerMessage { Heartbeat = heartbeat }, ended);
            }
        }
        catch (OperationCanceledException)
        {
            // The connection is over, and its heartbeats with it.
        }
    }

    private static async Task AskToDrainAsync(IWorkerConnection connection, CancellationToken drain, CancellationToken ended)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, ended);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!ended.IsCancellationRequested)
            await TrySendAsync(connection, new WorkerMessage { DrainRequested = new DrainRequested() }, CancellationToken.None);
    }

    /// <summary>
    /// Bounds the drain: commands that outlast the limit are killed and thereby handed back; and when all reports
    /// are acknowledged, the coordinator's goodbye is waited for, but not for long.
    /// </summary>
    private async Task LeaveAfterDrainAsync(CancellationTokenSource leave, CancellationToken drain)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, leave.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (leave.IsCancellationRequested) return;

        int held = _leases.Snapshot().Count;
        LogDraining(held);
        var limit = Task.Delay(drainMax, time, leave.Token);
        if (await Task.WhenAny(limit, _leases.WhenEmpty()) != limit)
            await Task.Delay(GoodbyeWait, time, leave.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!leave.IsCancellationRequested) await leave.CancelAsync();
    }

    private async Task AbandonAllAsync()
    {
        var held = _leases.Snapshot();
        foreach (var lease in held)
        {
            if (_leases.Find(lease.Key) is not null) lease.Cancel();
        }
        await Task.WhenAll(_attempts.Values);
    }

    [LoggerMessage(EventId = 30, EventName = "joined", Level = LogLevel.Information, Message = "joined as {WorkerId}, coordinator {Version}")]
    private partial void LogJoined(string workerId, string version);

    [LoggerMessage(EventId = 31, EventName = "disconnected", Level = LogLevel.Warning, Message = "connection lost, will try again: {Reason}")]
    private partial void LogDisconnected(string reason);

    [LoggerMessage(EventId = 32, EventName = "draining", Level = LogLevel.Information, Message = "draining, {Leases} leases held")]
    private partial void LogDraining(int leases);

    [LoggerMessage(EventId = 33, EventName = "attempt-crashed", Level = LogLevel.Error, Message = "attempt {Attempt} of {ExecutionId} crashed the runner")]
    private partial void LogAttemptCrashed(Exception bug, string executionId, int attempt);

    private sealed class Reporter(WorkerLoop loop, LeaseId lease) : ILeaseReporter
    {
        public ValueTask StartedAsync(CancellationToken cancellationToken) =>
            loop.TrySendAsync(new WorkerMessage { LeaseStarted = new LeaseStarted { Lease = lease } }, cancellationToken);

        public ValueTask OutputAsync(LeaseOutput output, CancellationToken cancellationToken) =>
            loop.TrySendAsync(new WorkerMessage { LeaseOutput = output }, cancellationToken);
    }

    private enum StreamEnd
    {
        /// <summary>It failed; another connection carries on.</summary>
        Broken,

        /// <summary>The coordinator leaves; another one, or its next life, carries on.</summary>
        Orderly,

        /// <summary>The goodbye after a drain.</summary>
        Dismissed,
    }
}
