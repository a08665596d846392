using Grpc.Core;
using RemoteExec.Services;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>Joins the local worker to the coordinator of this process: the same conversation as over gRPC, without a wire.</summary>
internal sealed class InProcessConnector(WorkerConversation conversation) : IWorkerConnector
{
    public ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var (worker, coordinator) = InMemoryWorkerConnection.CreatePair();
        // Ends with the stream: the worker's end closes it, and its error reaches the worker through it.
        _ = ServeAsync(coordinator, cancellationToken);
        return ValueTask.FromResult<IWorkerConnection>(worker);
    }

    private async Task ServeAsync(InMemoryCoordinatorStream stream, CancellationToken cancellationToken)
    {
        try
        {
            await conversation.RunAsync(stream, stream, cancellationToken);
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
