using System.Diagnostics;
using Build.Bazel.Remote.Execution.V2;
using Grpc.Core;
using RemoteExec.Core;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using LeaseId = RemoteExec.Scheduling.LeaseId;

namespace RemoteExec.Services;

/// <summary>
/// The three channels between workers and this coordinator (remoteexec/v1/worker.proto). It does not know what
/// carries the messages: gRPC, or a pair of channels inside one process.
/// </summary>
public sealed class WorkerConversation
{
    // More than a worker keeps of the last words of one command; what is further back than that is read in the result.
    private const int RestBytesMax = 4 << 20;

    private readonly Scheduler _scheduler;
    private readonly IBlobStore _store;
    private readonly LiveLogs _logs;
    private readonly ServicesOptions _options;
    private readonly Rederivations? _rederivations;
    private readonly LeaseReports _reports;

    /// <summary>Used for any number of workers at once.</summary>
    /// <param name="rederivations">Null where lost inputs are not made again.</param>
    internal WorkerConversation(
        Scheduler scheduler, IBlobStore store, LiveLogs logs, Rederivations? rederivations, ServicesOptions options, TimeProvider clock)
    {
        _scheduler = scheduler;
        _rederivations = rederivations;
        _store = store;
        _logs = logs;
        _options = options with { Limits = options.Limits with { ReconnectWaitMax = scheduler.Options.ReconnectBackoffMax } };
        _reports = new LeaseReports(store, options, clock);
    }

    /// <summary>
    /// Join: one life of a worker's stream. Returns when the worker has left, or has been told to. Commands go down and news come up
    /// independently of each other; whichever ends first ends the other.
    /// </summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a worker that does not keep to the protocol.</exception>
    public async Task RunAsync(
        IAsyncStreamReader<WorkerMessage> news, IServerStreamWriter<CoordinatorMessage> commands, CancellationToken cancellationToken)
    {
        if (!await news.MoveNext(cancellationToken)) return;
        if (news.Current.MessageCase != WorkerMessage.MessageOneofCase.Hello)
            throw RpcErrors.Invalid("the first message of a worker is its hello");

        await using var session = Join(WorkerMessages.Describe(news.Current.Hello, _options.Limits));
        using var over = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        await commands.WriteAsync(WorkerMessages.Welcome(_scheduler.Options.HeartbeatInterval, _options), over.Token);

        var commanding = CommandAsync(session, commands, over.Token);
        var hearing = HearAsync(session, news, over.Token);
        var first = await Task.WhenAny(commanding, hearing);
        await over.CancelAsync();
        // Both are over before the session is: nothing may speak for a worker that has been given up.
        await Task.WhenAll(commanding, hearing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await first;
    }

    /// <summary>Report: answered when the end of the attempt is durable; at once and unread when nobody wants to know.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT when it names no lease; UNAVAILABLE when it has to come again.</exception>
    public async ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken)
    {
        var lease = WorkerMessages.FromWire(report.Lease);
        var held = _scheduler.FindLease(lease);
        var outcome = held is null || held.WorkerId != report.WorkerId
            ? LeaseReports.Unread
            : await _reports.ToOutcomeAsync(lease, held, report, cancellationToken);
        if (_rederivations is not null && Rederivations.Concerns(outcome, report.Status))
            outcome = await _rederivations.TryHoldAsync(lease.Execution, held!, outcome, cancellationToken); // what was read was held
        // Before the scheduler knows: from then on the log takes nothing.
        if (outcome != LeaseReports.Unread) await ShowRestAsync(lease, held!, report.InlineResult, cancellationToken);
        try
        {
            // Also of what was not read: it may be stale by something that is not durable yet.
            var verdict = await _scheduler.ReportAsync(report.WorkerId, lease, outcome, cancellationToken);
            if (verdict == ReportVerdict.Stale) return new ReportResponse { Stale = true };
        }
        catch (SchedulingException refused)
        {
            throw refused.ToRpc();
        }

        if (report.Usage is { } usage) _options.Observer.ActionUsed(WorkerWords.Clean(usage));
        _logs.End(lease);
        return new ReportResponse();
    }

    /// <summary>LiveOutput: one piece. What nobody watches, or is nobody's, is dropped.</summary>
    /// <exception cref="RpcException">INVALID_ARGUMENT for a piece that is none.</exception>
    public void Show(LeaseOutput piece)
    {
        var lease = WorkerMessages.FromWire(piece.Lease);
        var stream = WorkerMessages.FromWire(piece.Stream);
        // The channel carries the output of all that its worker runs.
        ServingLoop.Serve(() => Append(lease, stream, piece), bug => Trace.TraceError($"output of {lease} was not taken: {bug}"));
    }

    /// <summary>What a command wrote last often comes later than its report, by another channel. Who reads along gets it from the result.</summary>
    private async ValueTask ShowRestAsync(LeaseId lease, HeldLease held, ActionResult? result, CancellationToken cancellationToken)
    {
        foreach (var (stream, digest) in ((OutputStream, WireDigest?)[])[(OutputStream.Stdout, result?.StdoutDigest), (OutputStream.Stderr, result?.StderrDigest)])
        {
            if (_logs.LengthOf(lease, stream) is { } shown && WireDigests.TryFromWire(digest, held.Request.Action.Function, out var whole, out _))
            {
                // A store that cannot be read fails nobody's report; it is the reader along who sees less.
                await ServingLoop.ServeAsync(
                    () => ShowRestAsync(lease, stream, held.Request.Instance, whole, shown, cancellationToken),
                    obstacle => Trace.TraceWarning($"the end of the output of {lease} was not shown: {obstacle.Message}"));
            }
        }
    }

    private async ValueTask ShowRestAsync(
        LeaseId lease, OutputStream stream, InstanceName instance, Digest whole, long shown, CancellationToken cancellationToken)
    {
        if (whole.SizeBytes <= shown || whole.SizeBytes - shown > RestBytesMax) return;

        await using var reader = await _store.OpenReadAsync(whole, shown, cancellationToken);
        if (reader is null) return;

        byte[] rest = new byte[whole.SizeBytes - shown];
        int filled = 0;
        for (int read = -1; read != 0 && filled < rest.Length; filled += read) read = await reader.ReadAsync(rest.AsMemory(filled), cancellationToken);
        _logs.Append(lease, stream, instance, shown, rest.AsSpan(0, filled));
    }

    private void Append(LeaseId lease, OutputStream stream, LeaseOutput piece)
    {
        // An attempt that was taken back may go on writing for a while. Nobody watches that.
        if (_scheduler.FindLease(lease) is { } held && held.WorkerId == piece.WorkerId)
            _logs.Append(lease, stream, held.Request.Instance, piece.Offset, piece.Data.Span);
    }

    private static async Task CommandAsync(WorkerSession session, IServerStreamWriter<CoordinatorMessage> commands, CancellationToken cancellationToken)
    {
        await foreach (var command in session.Commands.ReadAllAsync(cancellationToken))
        {
            switch (command)
            {
                case WorkerCommand.OfferLease { Lease: var lease }:
                    await commands.WriteAsync(WorkerMessages.Offer(lease), cancellationToken);
                    session.Sent(lease.Id);
                    break;
                case WorkerCommand.CancelLease { Lease: var lease, Reason: var reason }:
                    await commands.WriteAsync(WorkerMessages.Cancel(lease, reason), cancellationToken);
                    break;
                case WorkerCommand.RecallLease { Lease: var lease }:
                    await commands.WriteAsync(WorkerMessages.Recall(lease), cancellationToken);
                    break;
                case WorkerCommand.End:
                    return;
            }
        }
    }

    /// <summary>Nothing in here waits for anything but the next message: what comes is a sign of life.</summary>
    private static async Task HearAsync(WorkerSession session, IAsyncStreamReader<WorkerMessage> news, CancellationToken cancellationToken)
    {
        while (await news.MoveNext(cancellationToken))
        {
            var tell = WorkerMessages.Read(news.Current, session);
            ServingLoop.Serve(tell, bug => Trace.TraceError($"a {news.Current.MessageCase} of worker {session.WorkerId} was not taken: {bug}"));
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
