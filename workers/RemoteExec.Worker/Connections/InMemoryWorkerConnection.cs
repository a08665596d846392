using System.Threading.Channels;
using Grpc.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// The worker's end of a conversation that never leaves the process; <see cref="InMemoryCoordinatorStream"/> and
/// <see cref="IReportDesk"/> are the other. Messages are handed over as they are: neither end changes one after sending it.
/// </summary>
public sealed class InMemoryWorkerConnection : IWorkerConnection
{
    // Far more than slots, leases and heartbeats put in flight; a full channel means a stuck reader, and
    // then the sender waits.
    private const int MessagesMax = 1024;

    private readonly Channel<WorkerMessage> _toCoordinator;
    private readonly Channel<CoordinatorMessage> _toWorker;
    private readonly IReportDesk _desk;

    private InMemoryWorkerConnection(Channel<WorkerMessage> toCoordinator, Channel<CoordinatorMessage> toWorker, IReportDesk desk) =>
        (_toCoordinator, _toWorker, _desk) = (toCoordinator, toWorker, desk);

    /// <summary>Both ends of a new stream, beside which <paramref name="desk"/> takes reports.</summary>
    public static (InMemoryWorkerConnection Worker, InMemoryCoordinatorStream Coordinator) CreatePair(IReportDesk desk)
    {
        var toCoordinator = Channel.CreateBounded<WorkerMessage>(new BoundedChannelOptions(MessagesMax) { SingleReader = true });
        var toWorker = Channel.CreateBounded<CoordinatorMessage>(new BoundedChannelOptions(MessagesMax) { SingleReader = true });
        return (new InMemoryWorkerConnection(toCoordinator, toWorker, desk), new InMemoryCoordinatorStream(toCoordinator.Reader, toWorker.Writer));
    }

    public async ValueTask SendAsync(WorkerMessage message, CancellationToken cancellationToken)
    {
        if (_toCoordinator.Writer.TryWrite(message)) return;
        try
        {
            await _toCoordinator.Writer.WriteAsync(message, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new RpcException(new Status(StatusCode.Unavailable, "the coordinator has ended the stream"));
        }
    }

    public async ValueTask<CoordinatorMessage?> ReceiveAsync(CancellationToken cancellationToken)
    {
        // The channel's completion carries the coordinator's RpcException, if any, through this call.
        while (await _toWorker.Reader.WaitToReadAsync(cancellationToken))
        {
            if (_toWorker.Reader.TryRead(out var message)) return message;
        }
        return null;
    }

    public ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken) =>
        _desk.ReportAsync(report, cancellationToken);

    public ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken) => _desk.ShowAsync(piece, cancellationToken);

    public ValueTask DisposeAsync()
    {
        _toCoordinator.Writer.TryComplete();
        _toWorker.Writer.TryComplete();
        return ValueTask.CompletedTask;
    }
}
