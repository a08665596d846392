using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;

namespace RemoteExec.EndToEnd;

/// <summary>gRPC over plain HTTP/2 with nothing between a test and the wire: it says what it is told to, however wrong.</summary>
internal sealed class RawClient(string address, TimeSpan answerWithin) : IDisposable
{
    public const int PrefixBytes = 5;

    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = new Uri($"http://{address}"),
        Timeout = answerWithin,
    };

    /// <summary>Sends all messages, closes, and answers the status and the bytes of the whole answer.</summary>
    public async Task<(RawStatus Status, string Detail, byte[] Answer)> CallAsync(
        string method, IEnumerable<byte[]> messages, params IEnumerable<(string Name, string Value)> headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri($"/{method}", UriKind.Relative))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = new ByteArrayContent([.. messages.SelectMany(Frame)]),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TE.ParseAdd("trailers");
        foreach (var (name, value) in headers) request.Headers.TryAddWithoutValidation(name, value);

        using var answer = await _http.SendAsync(request);
        byte[] body = await answer.Content.ReadAsByteArrayAsync();
        string status = Value(answer, "grpc-status") ?? throw new InvalidOperationException($"{method} answered {answer} without grpc-status");
        return ((RawStatus)int.Parse(status, CultureInfo.InvariantCulture), Uri.UnescapeDataString(Value(answer, "grpc-message") ?? ""), body);
    }

    public void Dispose() => _http.Dispose();

    private static byte[] Frame(byte[] message)
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
