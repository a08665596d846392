using System.Threading.Channels;

namespace RemoteExec.Scheduling;

/// <summary>
/// One connection of a worker. Disposing it says that the connection is gone; what the worker runs waits for it for
/// <see cref="SchedulerOptions.RejoinGrace"/>.
/// </summary>
public sealed class WorkerSession : IAsyncDisposable
{
    private readonly Scheduler _scheduler;

    // Unbounded as a channel, bounded by the rules: an offer needs a free slot, a cancel needs an offer.
    private readonly Channel<WorkerCommand> _commands =
        Channel.CreateUnbounded<WorkerCommand>(new UnboundedChannelOptions { SingleReader = true });

    internal WorkerSession(Scheduler scheduler, WorkerDescription worker, long number)
    {
        _scheduler = scheduler;
        WorkerId = worker.Id;
        Pool = worker.Pool;
        Number = number;
    }

    public string WorkerId { get; }

    /// <summary>What the worker is told, in order; completes after <see cref="WorkerCommand.End"/>.</summary>
    public ChannelReader<WorkerCommand> Commands => _commands.Reader;

    internal long Number { get; }

    internal string Pool { get; }

    /// <summary>The command is about to run.</summary>
    public ValueTask<ReportVerdict> StartedAsync(LeaseId lease, CancellationToken cancellationToken) =>
        _scheduler.StartedAsync(this, lease, cancellationToken);

    /// <summary>The attempt is over; returns when that is durable, so that the worker may forget it.</summary>
    public ValueTask<ReportVerdict> FinishedAsync(LeaseId lease, ExecutionOutcome outcome, CancellationToken cancellationToken) =>
        _scheduler.FinishedAsync(this, lease, outcome, cancellationToken);

    /// <summary>What this worker was asked to run under a lease; null when the lease is stale.</summary>
    public ExecutionRequest? Held(LeaseId lease) => _scheduler.Held(this, lease);

    /// <summary>A sign of life; <paramref name="running"/> are all leases in the worker's hands, or null when it does not say.</summary>
    public void Heartbeat(IReadOnlyList<LeaseId>? running) => _scheduler.Heartbeat(this, running);

    /// <summary>No new leases; <see cref="WorkerCommand.End"/> comes when the last one has reported.</summary>
    public void RequestDrain() => _scheduler.Drain(this);

    public ValueTask DisposeAsync()
    {
        _commands.Writer.TryComplete();
        _scheduler.Disconnect(this);
        return ValueTask.CompletedTask;
    }

    internal void Tell(WorkerCommand command)
    {
        // False when the connection is gone already: then its leases are the queue's worry.
        _commands.Writer.TryWrite(command);
        if (command is WorkerCommand.End) _commands.Writer.TryComplete();
    }
}
