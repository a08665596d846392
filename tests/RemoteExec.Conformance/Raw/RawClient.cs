using System.Buffers.Binary;
using System.Globalization;
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
    public Task<(RawStatus Status, string Detail, byte[] Answer)> CallAsync(
        string method, IEnumerable<byte[]> messages, params IEnumerable<(string Name, string Value)> headers) =>
        CallFramesAsync(method, [.. messages.SelectMany(Frame)], headers, CancellationToken.None);

    /// <summary>The same of a body that need not be made of frames at all.</summary>
    public async Task<(RawStatus Status, string Detail, byte[] Answer)> CallFramesAsync(
        string method, byte[] body, IEnumerable<(string Name, string Value)> headers, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"/{method}", UriKind.Relative))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent(body),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.ParseAdd("trailers");
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);

        using var answer = await _http.SendAsync(request, cancellationToken);
        byte[] received = await answer.Content.ReadAsByteArrayAsync(cancellationToken);
        string status = Value(answer, "grpc-status") ?? throw new InvalidOperationException($"{method} answered {answer} without grpc-status");
        return ((RawStatus)int.Parse(status, CultureInfo.InvariantCulture), Uri.UnescapeDataString(Value(answer, "grpc-message") ?? ""), received);
    }

    public void Dispose() => _http.Dispose();

    public static byte[] Frame(byte[] message)
    {
        byte[] frame = new byte[PrefixBytes + message.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), message.Length);
        message.CopyTo(frame, PrefixBytes);
        return frame;
    }

    private static string? Value(HttpResponseMessage answer, string name) =>
        answer.TrailingHeaders.TryGetValues(name, out var inTrailers) ? inTrailers.Single()
        : answer.Headers.TryGetValues(name, out var inHeaders) ? inHeaders.Single()
        : null;
}
