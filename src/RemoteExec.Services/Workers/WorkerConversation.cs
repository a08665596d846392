using Grpc.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using Lease = RemoteExec.Scheduling.Lease;
using LeaseId = RemoteExec.Scheduling.LeaseId;

namespace RemoteExec.Services;

/// <summary>
/// One life of the stream between a worker and this coordinator (remoteexec/v1/worker.proto). It does not know what
/// carries the messages: gRPC, or a pair of channels inside one process.
/// </summary>
public sealed class WorkerConversation
{
    private readonly Scheduler _scheduler;
    private readonly LiveLogs _logs;
    private readonly ServicesOptions _options;
    private readonly LeaseReports _reports;

    /// <summary>Used for any number of workers, one <see cref="RunAsync"/> each.</summary>
    public WorkerConversation(Scheduler scheduler, IBlobStore store, LiveLogs logs, ServicesOptions options, TimeProvider clock)
    {
        _scheduler = scheduler;
        _logs = logs;
        _options = options;
        _reports = new LeaseReports(store, options, clock);
    }

    /// <summary>
    /// Returns when the worker has left, or has been told to. Commands go down and reports come up
    /// independently of each other; whichever ends first ends the other.
    /// </summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a worker that does not keep to the protocol.</exception>
    public async Task RunAsync(
        IAsyncStreamReader<WorkerMessage> reports, IServerStreamWriter<CoordinatorMessage> commands, CancellationToken cancellationToken)
    {
        if (!await reports.MoveNext(cancellationToken)) return;
        if (reports.Current.MessageCase != WorkerMessage.MessageOneofCase.Hello)
            throw RpcErrors.Invalid("the first message of a worker is its hello");

        var description = WorkerMessages.Describe(reports.Current.Hello);
        await using var session = Join(description);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var call = new WorkerCall(session, commands);
        await call.SendAsync(WorkerMessages.Welcome(_scheduler.Options.HeartbeatInterval, _options), over.Token);

        var commanding = CommandAsync(call, over.Token);
        var reporting = ReportAsync(call, reports, over.Token);
        var first = await Task.WhenAny(commanding, reporting);
        await over.CancelAsync();
        // Both are over before the session is: nothing may speak for a worker that has been given up.
        await Task.WhenAll(commanding, reporting).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    private static async Task CommandAsync(WorkerCall call, CancellationToken cancellationToken)
    {
        await foreach (var command in call.Session.Commands.ReadAllAsync(cancellationToken))
        {
            switch (command)
            {
                case WorkerCommand.OfferLease { Lease: var lease }:
                    await call.SendAsync(WorkerMessages.Offer(lease), cancellationToken);
                    break;
                case WorkerCommand.CancelLease { Lease: var lease, Reason: var reason }:
                    await call.SendAsync(WorkerMessages.Cancel(lease, reason), cancellationToken);
                    break;
                case WorkerCommand.End:
                    // It may be the answer to a report that is still being acknowledged.
                    await call.ReportAsync(() => ValueTask.CompletedTask, cancellationToken);
                    return;
            }
        }
    }

    private async Task ReportAsync(WorkerCall call, IAsyncStreamReader<WorkerMessage> reports, CancellationToken cancellationToken)
    {
        while (await reports.MoveNext(cancellationToken))
        {
            var message = reports.Current;
            switch (message.MessageCase)
            {
                case WorkerMessage.MessageOneofCase.Heartbeat:
                    call.Session.Heartbeat(WorkerMessages.LeaseIds(message.Heartbeat.Running));
                    break;
                case WorkerMessage.MessageOneofCase.LeaseStarted:
                    call.Session.Started(WorkerMessages.FromWire(message.LeaseStarted.Lease));
                    break;
                case WorkerMessage.MessageOneofCase.LeaseOutput:
                    Show(call.Session, message.LeaseOutput);
                    break;
                case WorkerMessage.MessageOneofCase.LeaseFinished:
                    await call.ReportAsync(() => FinishAsync(call, message.LeaseFinished, cancellationToken), cancellationToken);
                    break;
                case WorkerMessage.MessageOneofCase.DrainRequested:
                    call.Session.RequestDrain();
                    break;
                default:
                    throw RpcErrors.Invalid("a worker says hello once, and nothing empty");
            }
        }
    }

    private void Show(WorkerSession session, LeaseOutput output)
    {
        var lease = WorkerMessages.FromWire(output.Lease);
        var stream = WorkerMessages.FromWire(output.Stream);
        // An attempt that was taken back may go on writing for a while. Nobody watches that.
        if (_scheduler.FindLease(lease) is { } held && held.WorkerId == session.WorkerId)
            _logs.Append(lease, stream, held.Request.Instance, output.Offset, output.Data.Span);
    }

    private async ValueTask FinishAsync(WorkerCall call, LeaseFinished report, CancellationToken cancellationToken)
    {
        var id = WorkerMessages.FromWire(report.Lease);
        // What is stale is acknowledged unread.
        if (_scheduler.FindLease(id) is { } held && held.WorkerId == call.Session.WorkerId)
        {
            var lease = new Lease(id, held.Request, held.QueuedAt);
            var outcome = await _reports.ToOutcomeAsync(lease, held.LeasedAt, held.WorkerId, report, cancellationToken);
            await FinishAsync(call, id, outcome, cancellationToken);
        }

        await call.SendAsync(WorkerMessages.Acknowledge(id), cancellationToken);
    }

    private async ValueTask FinishAsync(WorkerCall call, LeaseId id, ExecutionOutcome outcome, CancellationToken cancellationToken)
    {
        try
        {
            // Stale or accepted, the worker may forget it either way.
            var verdict = await _scheduler.ReportAsync(call.Session.WorkerId, id, outcome, cancellationToken);
            if (verdict == ReportVerdict.Accepted) _logs.End(id);
        }
        catch (SchedulingException refused)
        {
            throw refused.ToRpc();
        }
    }

    private WorkerSession Join(WorkerDescription description)
    {
        try
        {
            return _scheduler.Join(description);
        }
        catch (SchedulingException refused)
        {
            throw refused.ToRpc();
        }
    }
}
