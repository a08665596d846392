using System.Collections.Concurrent;
using Grpc.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;
using LeaseId = RemoteExec.Scheduling.LeaseId;

namespace RemoteExec.Services;

/// <summary>The state of one worker's stream: its session, what was offered on it, and whose turn it is to write.</summary>
internal sealed class WorkerCall(WorkerSession session, IServerStreamWriter<CoordinatorMessage> commands) : IDisposable
{
    // Bounded by the worker's slots: the scheduler offers no more.
    private readonly ConcurrentDictionary<LeaseId, LeaseOffer> _offers = new();
    private readonly SemaphoreSlim _writing = new(1);
    private readonly SemaphoreSlim _reporting = new(1);

    public WorkerSession Session { get; } = session;

    public void Remember(LeaseOffer offer) => _offers[offer.Lease.Id] = offer;

    public LeaseOffer? Recall(LeaseId lease) => _offers.GetValueOrDefault(lease);

    public void Forget(LeaseId lease) => _offers.TryRemove(lease, out _);

    /// <summary>A stream takes one write at a time; commands and acknowledgements come from two sides.</summary>
    public async ValueTask SendAsync(CoordinatorMessage message, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            await commands.WriteAsync(message, cancellationToken);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Handles one report. The last report of a drained worker is acknowledged before its stream ends.</summary>
    public async ValueTask ReportAsync(Func<ValueTask> handle, CancellationToken cancellationToken)
    {
        await _reporting.WaitAsync(cancellationToken);
        try
        {
            await handle();
        }
        finally
        {
            _reporting.Release();
        }
    }

    public void Dispose()
    {
        _writing.Dispose();
        _reporting.Dispose();
    }
}
