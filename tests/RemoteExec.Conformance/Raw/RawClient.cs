using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;

namespace RemoteExec.Conformance;

/// <summary>gRPC over plain HTTP/2 with nothing between a test and the wire: it says what it is told to, however wrong.</summary>
internal sealed class RawClient(Uri address, TimeSpan answerWithin) : IDisposable
{
    public const int PrefixBytes = 5;

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = address,
        Timeout = answerWithin,
    };

    /// <summary>Sends all messages, closes, and answers the status and the bytes of the whole answer.</summary>
    public Task<RawAnswer> CallAsync(
        string method, IEnumerable<byte[]> messages, params IEnumerable<(string Name, string Value)> headers) =>
        CallFramesAsync(method, [.. messages.SelectMany(Frame)], headers, CancellationToken.None);

    /// <summary>The same of a body that need not be made of frames at all.</summary>
    public async Task<RawAnswer> CallFramesAsync(
        string method, byte[] body, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken)
    {
        using var request = RequestOf(method, body, headers);
        using var answer = await _http.SendAsync(request, cancellationToken);
        byte[] received = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        return RawAnswer.Of(answer, received);
    }

    /// <summary>A call of one message whose answers are read as they come.</summary>
    public async Task<RawStream> OpenAsync(string method, byte[] message, params IEnumerable<(string Name, string Value)> headers)
    {
        using var request = RequestOf(method, Frame(message), headers);
        var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        return new RawStream(answer, await answer.Content.ReadAsStreamAsync(), answerWithin);
    }

    public void Dispose() => _http.Dispose();

    public static byte[] Frame(byte[] message)
    {
        byte[] frame = new byte[PrefixBytes + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, PrefixBytes);
        return frame;
    }

    private static HttpRequestMessage RequestOf(string method, byte[] body, IEnumerable<(string Name, string Value)> headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"/{method}", UriKind.Relative))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.ParseAdd("trailers");
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);

        return request;
    }
}
