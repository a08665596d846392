using System.Net;
using Grpc.Core;

namespace RemoteExec.Rpc;

/// <summary>A request whose messages are written while it is being sent: lends its stream out until told to end.</summary>
internal sealed class StreamedContent : HttpContent
{
    private readonly RequestPipe _pipe;
    private readonly TaskCompletionSource _attemptEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public StreamedContent(RequestPipe pipe)
    {
        _pipe = pipe;
        Headers.TryAddWithoutValidation("Content-Type", WireNames.ContentType);
    }

    /// <summary>The response's headers are there, or the reason why there are none.</summary>
    public void EndAttempt() => _attemptEnded.TrySetResult();

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        try
        {
            // Sends the headers now: a server may answer before the first message.
            await stream.FlushAsync(cancellationToken);
            if (!_pipe.TryConnect(stream))
                throw new RpcException(new Status(StatusCode.Unavailable, "the server left after the first messages were sent"));
            await _pipe.Ended.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The stream has ended. Why is told by the wait for its headers, and would be hidden by a failure of ours that came before.
            await _attemptEnded.Task;
            throw;
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
