using System.Threading.Channels;
using Grpc.Core;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Worker;

/// <summary>
/// The coordinator's end of an in-memory worker stream, in the shapes of a gRPC duplex handler, so that the
/// same service code serves a worker of this process and one across the network.
/// </summary>
public sealed class InMemoryCoordinatorStream : IAsyncStreamReader<WorkerMessage>, IServerStreamWriter<CoordinatorMessage>
{
    private readonly ChannelReader<WorkerMessage> _fromWorker;
    private readonly ChannelWriter<CoordinatorMessage> _toWorker;
    private WorkerMessage? _current;

    internal InMemoryCoordinatorStream(ChannelReader<WorkerMessage> fromWorker, ChannelWriter<CoordinatorMessage> toWorker) =>
        (_fromWorker, _toWorker) = (fromWorker, toWorker);

    public WorkerMessage Current => _current ?? throw new InvalidOperationException("MoveNext has not returned true yet");

    public WriteOptions? WriteOptions { get; set; }

    public async Task<bool> MoveNext(CancellationToken cancellationToken)
    {
        while (await _fromWorker.WaitToReadAsync(cancellationToken))
        {
            if (_fromWorker.TryRead(out _current)) return true;
        }
        return false;
    }

    public Task WriteAsync(CoordinatorMessage message) => WriteAsync(message, CancellationToken.None);

    public async Task WriteAsync(CoordinatorMessage message, CancellationToken cancellationToken)
    {
        if (_toWorker.TryWrite(message)) return;
        try
        {
            await _toWorker.WriteAsync(message, cancellationToken);
        }
        catch (ChannelClosedException)
        {
            throw new RpcException(new Status(StatusCode.Cancelled, "the worker has left"));
        }
    }

    /// <summary>
    /// Ends the stream, as returning from a handler does. With an error the worker sees that error, and
    /// reconnects.
    /// </summary>
    public void Complete(Exception? error = null) => _toWorker.TryComplete(error);
}
