using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Headers;
using Google.Protobuf;

namespace RemoteExec.Benchmarks;

/// <summary>
/// gRPC over a plain <see cref="HttpClient"/>, sharing no code with the runtime under test. It speaks to the
/// server and to the bare handler alike, so what the client itself costs is on both sides of every ratio.
/// </summary>
internal sealed class GrpcCaller : IDisposable
{
    private const int PrefixBytes = 5; // 1 compressed flag + 4 length, big-endian

    private readonly HttpMessageInvoker _http;
    private readonly string _address;

    public GrpcCaller(string address)
    {
        _address = $"http://{address}/";
        _http = new HttpMessageInvoker(new SocketsHttpHandler
        {
            // One connection, like one Bazel; and a window that never makes the sender wait on loopback.
            EnableMultipleHttp2Connections = false,
            InitialHttp2StreamWindowSize = 16 << 20,
        });
    }

    public static byte[] Frame(IMessage message)
    {
        byte[] frame = new byte[PrefixBytes + message.CalculateSize()];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), frame.Length - PrefixBytes);
        message.WriteTo(frame.AsSpan(PrefixBytes));
        return frame;
    }

    public async Task<TReply> UnaryAsync<TReply>(
        string method, IMessage request, MessageParser<TReply> parser, CancellationToken cancellationToken)
        where TReply : IMessage<TReply>
    {
        TReply? reply = default;
        await ReadAllAsync(method, new ByteArrayContent(Frame(request)), message => reply = parser.ParseFrom(message.Span), cancellationToken);
        return reply ?? throw new InvalidDataException($"{method} gave no message");
    }

    /// <summary>Calls, hands every message of the answer to <paramref name="onMessage"/>, and checks the status.</summary>
    public async Task ReadAllAsync(
        string method, HttpContent content, Action<ReadOnlyMemory<byte>> onMessage, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _address + method)
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Content = content,
        };
        request.Headers.TE.Add(new TransferCodingWithQualityHeaderValue("trailers"));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");

        using var response = await _http.SendAsync(request, cancellationToken);
        await using var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        byte[] prefix = new byte[PrefixBytes];
        byte[] buffer = [];
        while (await body.ReadAtLeastAsync(prefix, PrefixBytes, throwOnEndOfStream: false, cancellationToken) == PrefixBytes)
        {
            int length = BinaryPrimitives.ReadInt32BigEndian(prefix.AsSpan(1));
            if (buffer.Length < length) buffer = new byte[length];
            await body.ReadExactlyAsync(buffer.AsMemory(0, length), cancellationToken);
            onMessage(buffer.AsMemory(0, length));
        }

        string status = Header(response.TrailingHeaders, "grpc-status") ?? Header(response.Headers, "grpc-status") ?? "none";
        string? text = Header(response.TrailingHeaders, "grpc-message") ?? Header(response.Headers, "grpc-message");
        if (status != "0") throw new InvalidDataException($"{method} answered status {status}: {text}");
    }

    public void Dispose() => _http.Dispose();

    private static string? Header(HttpResponseHeaders headers, string name) =>
        headers.TryGetValues(name, out var values) ? values.First() : null;
}
