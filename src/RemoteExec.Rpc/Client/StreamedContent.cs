using System.Net;

namespace RemoteExec.Rpc;

/// <summary>A request whose messages are written while it is being sent: lends its stream out until told to end.</summary>
internal sealed class StreamedContent : HttpContent
{
    private readonly RequestPipe _pipe;

    public StreamedContent(RequestPipe pipe)
    {
        _pipe = pipe;
        Headers.TryAddWithoutValidation("Content-Type", WireNames.ContentType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override async Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken)
    {
        // Sends the headers now: a server may answer before the first message.
        await stream.FlushAsync(cancellationToken);
        _pipe.Connect(stream);
        await _pipe.Ended.WaitAsync(cancellationToken);
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
