using Grpc.Core;
using RemoteExec.Protocol.V1;
using RemoteExec.Services;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>Joins the local worker to the coordinator of this process: the same conversation as over gRPC, without a wire.</summary>
internal sealed class InProcessConnector(WorkerConversation conversation) : IWorkerConnector, IReportDesk, IAsyncDisposable
{
    private readonly CancellationTokenSource _ending = new();
    private Task _serving = Task.CompletedTask;

    public async ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        // One worker, one conversation: the last one ends with the stream that the worker gave up.
        await _serving.WaitAsync(cancellationToken);
        var (worker, coordinator) = InMemoryWorkerConnection.CreatePair(this);
        _serving = ServeAsync(coordinator, cancellationToken);
        return worker;
    }

    public ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken) =>
        conversation.ReportAsync(report, cancellationToken);

    public ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken)
    {
        conversation.Show(piece);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _serving;
        _ending.Dispose();
    }

    private async Task ServeAsync(InMemoryCoordinatorStream stream, CancellationToken cancellationToken)
    {
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, _ending.Token);
        try
        {
            await conversation.RunAsync(stream, stream, ending.Token);
            stream.Complete();
        }
        catch (RpcException failure)
        {
            stream.Complete(failure);
        }
        catch (OperationCanceledException)
        {
            stream.Complete(new RpcException(new Status(StatusCode.Cancelled, "the server stops")));
        }
        catch (Exception bug)
        {
            // The worker reports it and reconnects, as one over a wire would after INTERNAL.
            stream.Complete(new RpcException(new Status(StatusCode.Internal, bug.ToString(), bug)));
        }
    }
}
