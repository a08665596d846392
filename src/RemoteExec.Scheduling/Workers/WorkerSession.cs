using System.Collections.Concurrent;
using System.Threading.Channels;
using RemoteExec.Core;

namespace RemoteExec.Scheduling;

/// <summary>
/// One connection of a worker. Nothing here waits, for a disk least of all: what comes down a connection is a sign of life and must
/// be heard at once. Reports go to <see cref="Scheduler.ReportAsync"/>. Disposing it says that the connection is gone; what the worker
/// runs waits for it for <see cref="SchedulerOptions.RejoinGrace"/>.
/// </summary>
public sealed class WorkerSession : IAsyncDisposable
{
    // An offer needs a free slot, but a worker may name whatever leases it likes, and is told to cancel each that is not its own.
    internal const int CommandsMax = 4 * Pools.SlotsMax;

    private readonly Scheduler _scheduler;

    private readonly Channel<WorkerCommand> _commands = Channel.CreateUnbounded<WorkerCommand>();

    // Offers that are on their way to the worker: until they have left it cannot name them.
    private readonly ConcurrentDictionary<LeaseId, Holding> _unsent = new();

    internal WorkerSession(Scheduler scheduler, WorkerDescription worker, long number) =>
        (_scheduler, WorkerId, Pool, Number) = (scheduler, worker.Id, worker.Pool, number);

    public string WorkerId { get; }

    /// <summary>What the worker is told, in order; completes after <see cref="WorkerCommand.End"/>.</summary>
    public ChannelReader<WorkerCommand> Commands => _commands.Reader;

    internal long Number { get; }

    internal string Pool { get; }

    /// <summary>The offer of this lease has been handed to the connection: from now on the worker has to name it.</summary>
    public void Sent(LeaseId lease)
    {
        if (_unsent.TryRemove(lease, out var holding)) holding.IsOffered = true;
    }

    /// <summary>The command is about to run. <paramref name="waited"/> of the time since the lease it waited for a slot: it was still in line.</summary>
    public void Started(LeaseId lease, TimeSpan waited = default) => _scheduler.Hear((queue, now) => queue.Started(WorkerId, Number, lease, waited, now));

    /// <summary>
    /// A sign of life. <paramref name="held"/> are all leases in the worker's hands: those that run, those that are being stopped, and
    /// those that are over and whose report has not been acknowledged. A lease that it fails to name for
    /// <see cref="SchedulerOptions.WorkerSilenceMax"/> is lost; one that is no longer its own it is told to cancel, again with each heartbeat.
    /// </summary>
    public void Heartbeat(IReadOnlyList<LeaseId> held) => _scheduler.Hear((queue, now) => queue.Heartbeat(WorkerId, Number, held, now));

    /// <summary>A cancelled lease's processes are dead: its slot is free at once.</summary>
    public void Stopped(LeaseId lease) => _scheduler.Hear((queue, now) => queue.Stopped(WorkerId, Number, lease, now));

    /// <summary>The lease is given back unfinished, for whatever reason: it is queued again at its old place and costs no attempt.</summary>
    public void HandBack(LeaseId lease) => _scheduler.Hear((queue, now) => queue.HandBack(WorkerId, Number, lease, now));

    /// <summary>No new leases; <see cref="WorkerCommand.End"/> comes when the last one has reported.</summary>
    public void RequestDrain() => _scheduler.Hear((queue, now) => queue.Drain(WorkerId, Number, now));

    public ValueTask DisposeAsync()
    {
        _commands.Writer.TryComplete();
        _scheduler.Disconnect(this);
        return ValueTask.CompletedTask;
    }

    internal void Tell(WorkerCommand command, Holding? offered = null)
    {
        if (offered is not null && command is WorkerCommand.OfferLease offer) _unsent[offer.Lease.Id] = offered;
        // False when the connection is gone already: then its leases are the queue's worry.
        _commands.Writer.TryWrite(command);
        // Who takes nothing of what it is told ends like one that is gone.
        if (command is WorkerCommand.End || _commands.Reader.Count > CommandsMax) _commands.Writer.TryComplete();
    }
}
