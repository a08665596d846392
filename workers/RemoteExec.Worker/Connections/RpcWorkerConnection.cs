using Grpc.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>A conversation across the network: one call for the stream, one for each report, and one for pieces of output while it lasts.</summary>
internal sealed class RpcWorkerConnection(CoordinatorClients coordinator, TimeProvider time) : IWorkerConnection
{
    // Longer than it takes to check the largest tree and to flush a slow disk. What has no answer by then is asked again.
    private static readonly TimeSpan ReportMax = TimeSpan.FromMinutes(5);

    private readonly AsyncDuplexStreamingCall<WorkerMessage, CoordinatorMessage> _join = coordinator.Joining.Join(new CallOptions());
    private readonly Lock _gate = new();
    private AsyncClientStreamingCall<LeaseOutput, LiveOutputResponse>? _liveOutput;
    private bool _isDisposed;

    public async ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken) =>
        await _join.RequestStream.WriteAsync(message, cancellationToken);

    public async ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken) =>
        await _join.ResponseStream.MoveNext(cancellationToken) ? _join.ResponseStream.Current : null;

    public async ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken) =>
        await coordinator.Calling.ReportAsync(report, headers: null, (time.GetUtcNow() + ReportMax).UtcDateTime, cancellationToken);

    public async ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken)
    {
        var call = LiveOutput();
        try
        {
            await call.RequestStream.WriteAsync(piece, cancellationToken);
        }
        catch
        {
            Forget(call);
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        // Ends the calls either way: in good order nothing is left to cancel.
        _join.Dispose();
        lock (_gate)
        {
            _isDisposed = true;
            _liveOutput?.Dispose();
            _liveOutput = null;
        }

        return ValueTask.CompletedTask;
    }

    // Whoever shows does not know yet that this is over: a call begun now would have nobody to end it.
    private AsyncClientStreamingCall<LeaseOutput, LiveOutputResponse> LiveOutput()
    {
        lock (_gate)
        {
            if (_isDisposed) throw new RpcException(new Status(StatusCode.Unavailable, "the connection is over"));
            return _liveOutput ??= coordinator.Calling.LiveOutput(new CallOptions());
        }
    }

    private void Forget(AsyncClientStreamingCall<LeaseOutput, LiveOutputResponse> call)
    {
        call.Dispose();
        lock (_gate)
        {
            if (_liveOutput == call) _liveOutput = null;
        }
    }
}
