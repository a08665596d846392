using Grpc.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Scheduling;

namespace RemoteExec.Services;

/// <summary>The state of one worker's stream: its session, and whose turn it is to write.</summary>
internal sealed class WorkerCall(WorkerSession session, IServerStreamWriter<CoordinatorMessage> commands) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1);
    private readonly SemaphoreSlim _reporting = new(1);

    public WorkerSession Session { get; } = session;

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
