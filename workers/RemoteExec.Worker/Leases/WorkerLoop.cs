using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// Joins the coordinator, again and again, for as long as the worker lives. Connections come and go; leases stay at the
/// <see cref="LeaseDesk"/> until the coordinator has heard how they ended.
/// </summary>
internal sealed partial class WorkerLoop(
    Hello hello, IWorkerConnector connector, LeaseTable leases, LeaseDesk desk, Lines lines, TimeSpan drainMax, TimeProvider time, Random random, ILogger log)
{
    // A coordinator that listens answers within a round trip.
    private static readonly TimeSpan WelcomeMax = TimeSpan.FromSeconds(10);

    // What is killed dies at once, unless it waits for a disk or a network file system that does not answer.
    private static readonly TimeSpan KillMax = TimeSpan.FromSeconds(10);

    // A coordinator that knows of nothing here ends the stream at once; longer means it is not listening.
    private static readonly TimeSpan GoodbyeMax = TimeSpan.FromSeconds(5);

    private readonly ReconnectBackoff _backoff = new(random);
    private bool _wasWelcomed;

    /// <summary>Runs until drained, or until a coordinator refuses this worker for good that has never welcomed it.</summary>
    /// <param name="drain">Cancelled when the worker should finish what it runs and leave.</param>
    /// <param name="hurry">Cancelled when the drain has taken long enough: its limit is over.</param>
    /// <exception cref="RpcException">The coordinator will never take this worker as it is.</exception>
    public async Task RunAsync(CancellationToken drain, CancellationToken hurry)
    {
        using var leave = new CancellationTokenSource();
        var leaving = LeaveAfterDrainAsync(leave, drain, hurry);
        try
        {
            while (!leave.IsCancellationRequested && !(drain.IsCancellationRequested && leases.IsEmpty))
            {
                if (await ServeOneConnectionAsync(drain, leave.Token) is StreamEnd.Dismissed) return;
                await WaitAsync(_backoff.Next(lines.Limits.ReconnectWaitMax), drain, leave.Token);
            }
        }
        finally
        {
            await desk.AbandonAsync();
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

    private async Task<StreamEnd> ServeOneConnectionAsync(CancellationToken drain, CancellationToken leave)
    {
        try
        {
            await using var connection = await connector.ConnectAsync(leave);
            return await ServeAsync(connection, drain, leave);
        }
        // The same words would be refused again, unless they were once taken: then it is who stands in for a coordinator that is away.
        catch (RpcException refused) when (!_wasWelcomed && refused.StatusCode is (StatusCode.InvalidArgument or StatusCode.Unimplemented))
        {
            throw;
        }
        catch (Exception broken)
        {
            // Whatever it was, the next connection may do.
            if (!leave.IsCancellationRequested) LogDisconnected(broken is RpcException rpc ? $"{rpc.StatusCode}: {rpc.Status.Detail}" : broken.Message);
            return StreamEnd.Broken;
        }
        finally
        {
            lines.Close();
        }
    }

    /// <summary>One life of the stream: hello, welcome, what was given back, then whatever comes.</summary>
    private async Task<StreamEnd> ServeAsync(IWorkerConnection connection, CancellationToken drain, CancellationToken leave)
    {
        var welcome = await GreetAsync(connection, drain, leave);
        _wasWelcomed = true;
        LogJoined(hello.WorkerId, welcome.CoordinatorVersion);
        long joinedAt = time.GetTimestamp();
        var line = new Line(connection, Limits.FromWire(welcome.Limits), time);
        lines.Open(line);
        desk.SayStarted();
        desk.SayReturned();

        using var over = CancellationTokenSource.CreateLinkedTokenSource(leave);
        var sending = EndAfterAsync(line.SendAsync(over.Token), over);
        var beating = BeatAsync(line, welcome.HeartbeatInterval?.ToTimeSpan() ?? default, over.Token);
        try
        {
            while (await connection.ReceiveAsync(over.Token) is { } message)
                ServingLoop.Serve(() => Handle(message), bug => LogMessageNotHandled(bug, message.MessageCase));
            // A coordinator that itself leaves ends its streams as well: what runs here is for its next life.
            return drain.IsCancellationRequested && leases.IsDone ? StreamEnd.Dismissed : StreamEnd.Orderly;
        }
        finally
        {
            // A coordinator that welcomes us and breaks down over what we say must not be asked at once, again and again.
            if (time.GetElapsedTime(joinedAt) >= line.Limits.ReconnectWaitMax) _backoff.Reset();
            await over.CancelAsync();
            await Task.WhenAll(sending, beating);
        }
    }

    private async ValueTask<Welcome> GreetAsync(IWorkerConnection connection, CancellationToken drain, CancellationToken leave)
    {
        using var late = new CancellationTokenSource(WelcomeMax, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, leave);
        var greeting = hello.Clone();
        // By what was said the last time: who names more than is possible is refused for good.
        greeting.Slots = Math.Min(hello.Slots, lines.Limits.SlotsMax);
        greeting.Prefetch = Math.Min(hello.Prefetch, lines.Limits.SlotsMax);
        greeting.Draining = drain.IsCancellationRequested;
        // In this order: one that begins in between is told again when the line is open.
        greeting.Waiting.AddRange(leases.Running(hasStarted: false).Select(lease => lease.Key.ToWire()));
        greeting.Running.AddRange(leases.In(LeaseState.Running));
        greeting.Running.AddRange(leases.In(LeaseState.Returned));
        greeting.Unreported.AddRange(leases.In(LeaseState.Owed));
        await connection.SendAsync(new WorkerMessage { Hello = greeting }, either.Token);
        return await connection.ReceiveAsync(either.Token) is { MessageCase: CoordinatorMessage.MessageOneofCase.Welcome } first
            ? first.Welcome
            : throw new RpcException(new Status(StatusCode.Internal, "the coordinator did not say welcome"));
    }

    private void Handle(CoordinatorMessage message)
    {
        switch (message.MessageCase)
        {
            case CoordinatorMessage.MessageOneofCase.Lease:
                desk.Take(message.Lease);
                break;
            case CoordinatorMessage.MessageOneofCase.CancelLease:
                desk.Cancel(message.CancelLease.Lease);
                break;
            case CoordinatorMessage.MessageOneofCase.RecallLease:
                desk.Recall(message.RecallLease.Lease);
                break;
        }
    }

    private async Task BeatAsync(Line line, TimeSpan interval, CancellationToken over)
    {
        using var timer = new PeriodicTimer(interval > TimeSpan.Zero ? interval : TimeSpan.FromSeconds(2), time);
        try
        {
            while (await timer.WaitForNextTickAsync(over)) Beat(line);
        }
        catch (OperationCanceledException)
        {
            // The connection is over, and its heartbeats with it.
        }
    }

    private void Beat(Line line)
    {
        var heartbeat = new Heartbeat();
        heartbeat.Held.AddRange(leases.In(LeaseState.Running));
        heartbeat.Held.AddRange(leases.In(LeaseState.Owed));
        line.Say(new WorkerMessage { Heartbeat = heartbeat });
    }

    /// <summary>A stream that takes nothing more is over, whatever the other direction looks like.</summary>
    private static async Task EndAfterAsync(Task sending, CancellationTokenSource over)
    {
        await sending.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!over.IsCancellationRequested) await over.CancelAsync();
    }

    /// <summary>
    /// The drain, and its bound: what has not started is given back, what runs may finish, and commands that outlast the limit are killed
    /// and given back. Then the coordinator's goodbye is waited for, which says that it knows of nothing here any more; but not for long.
    /// </summary>
    private async Task LeaveAfterDrainAsync(CancellationTokenSource leave, CancellationToken drain, CancellationToken hurry)
    {
        using var either = CancellationTokenSource.CreateLinkedTokenSource(drain, leave.Token);
        await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, either.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (leave.IsCancellationRequested) return;

        int held = leases.Snapshot().Count;
        // In this order: what a worker gives back that is not leaving may be leased to it again.
        lines.AskToDrain();
        desk.HandBackUnstarted();
        LogDraining(held);
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(hurry, leave.Token)) await WithinAsync(leases.WhenDone(), drainMax, over.Token);
        await WithinAsync(desk.HandBackAllAsync(), KillMax, leave.Token);
        await Task.Delay(GoodbyeMax, time, leave.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!leave.IsCancellationRequested) await leave.CancelAsync();
    }

    private async Task WithinAsync(Task task, TimeSpan limit, CancellationToken leave) =>
        await task.WaitAsync(limit, time, leave).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);

    [LoggerMessage(EventId = 30, EventName = "joined", Level = LogLevel.Information, Message = "joined as {WorkerId}, coordinator {Version}")]
    private partial void LogJoined(string workerId, string version);

    [LoggerMessage(EventId = 31, EventName = "disconnected", Level = LogLevel.Warning, Message = "not connected to a coordinator, trying again: {Reason}")]
    private partial void LogDisconnected(string reason);

    [LoggerMessage(EventId = 32, EventName = "draining", Level = LogLevel.Information, Message = "draining, {Leases} leases held")]
    private partial void LogDraining(int leases);

    [LoggerMessage(EventId = 36, EventName = "message_not_handled", Level = LogLevel.Error, Message = "a {Message} of the coordinator could not be handled")]
    private partial void LogMessageNotHandled(Exception bug, CoordinatorMessage.MessageOneofCase message);

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
