using Grpc.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>A conversation across the network: one call for the stream, one for each report, and one for pieces of output while it lasts.</summary>
internal sealed class RpcWorkerConnection(CoordinatorClients coordinator, TimeProvider time) : IWorkerConnection
{
    // Longer than it takes to check the largest tree and to flush a slow disk. What has no answer by then is asked again.
    private static readonly TimeSpan ReportMax = TimeSpan.FromMinutes(5);

    private readonly AsyncDuplexStreamingCall<WorkerMessage, CoordinatorMessage> _join = coordinator.Joining.Join(new CallOptions());
    private AsyncClientStreamingCall<LeaseOutput, LiveOutputResponse>? _liveOutput;

    public async ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken) =>
        await _join.RequestStream.WriteAsync(message, cancellationToken);

    public async ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken) =>
        await _join.ResponseStream.MoveNext(cancellationToken) ? _join.ResponseStream.Current : null;

    public async ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken) =>
        await coordinator.Calling.ReportAsync(report, headers: null, (time.GetUtcNow() + ReportMax).UtcDateTime, cancellationToken);

    public async ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken)
    {
        _liveOutput ??= coordinator.Calling.LiveOutput(new CallOptions());
        try
        {
            await _liveOutput.RequestStream.WriteAsync(piece, cancellationToken);
        }
        catch
        {
            _liveOutput.Dispose();
            _liveOutput = null;
            throw;
        }
    }

    public ValueTask DisposeAsync()
    {
        // Ends the calls either way: in good order nothing is left to cancel.
        _join.Dispose();
        _liveOutput?.Dispose();
        return ValueTask.CompletedTask;
    }
}
