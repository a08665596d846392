using System.Net;

namespace RemoteExec.Rpc;

/// <summary>A request of one message, framed already, so that it can be sent again.</summary>
internal sealed class BufferedContent : HttpContent
{
    private readonly ReadOnlyMemory<byte> _framed;

    public BufferedContent(ReadOnlyMemory<byte> framed)
    {
        _framed = framed;
        Headers.TryAddWithoutValidation("Content-Type", WireNames.ContentType);
    }

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
        SerializeToStreamAsync(stream, context, CancellationToken.None);

    protected override Task SerializeToStreamAsync(
        Stream stream, TransportContext? context, CancellationToken cancellationToken) =>
        stream.WriteAsync(_framed, cancellationToken).AsTask();

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
