using System.Buffers;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Rpc;

/// <summary>
/// Looks at the first bytes of a connection. HTTP/2 starts with its preface (RFC 9113 section 3.4); anything else
/// is a browser or a misdirected tool, and gets one plain sentence instead of a dead line. A client that speaks TLS can read none: it is
/// told by an alert, and its operator by the log.
/// </summary>
internal sealed partial class PrefaceGuard(RpcServerOptions options)
{
    // A client that tries again each second is one client, and one line.
    private static readonly TimeSpan SilenceAfterTold = TimeSpan.FromMinutes(1);
    private const int PeersToldMax = 1000;

    private static readonly TimeSpan FirstBytesMax = TimeSpan.FromSeconds(30);

    // Three bytes tell "PRI" from every HTTP/1 method (POST, PUT, PATCH start otherwise at the second).
    private static ReadOnlySpan<byte> PrefaceStart => "PRI"u8;

    // A handshake record of any version (RFC 8446, 5.1).
    private static ReadOnlySpan<byte> TlsStart => [22, 3];

    // A fatal alert, handshake_failure (RFC 8446, 6.2): the client ends at once and says something of TLS.
    private static readonly byte[] TlsAlert = [21, 3, 1, 0, 2, 2, 40];

    private readonly Lock _gate = new();
    private readonly Dictionary<string, long> _told = new(StringComparer.Ordinal);

    public ConnectionDelegate Wrap(ConnectionDelegate next) => connection => RunAsync(connection, next);

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        if (await StartsWithPrefaceAsync(connection)) await next(connection);
    }

    private async Task<bool> StartsWithPrefaceAsync(ConnectionContext connection)
    {
        using var patience = new CancellationTokenSource(FirstBytesMax, options.Time);
        // A drain does not wait for those who have not said a word.
        using var drain = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested
            .UnsafeRegister(static patience => ((CancellationTokenSource)patience!).Cancel(), patience);
        var input = connection.Transport.Input;
        try
        {
            while (true)
            {
                var result = await input.ReadAsync(patience.Token);
                bool isDecided = result.Buffer.Length >= PrefaceStart.Length || result.IsCompleted;
                bool isHttp2 = StartsWith(result.Buffer, PrefaceStart);
                bool isTls = StartsWith(result.Buffer, TlsStart);
                bool isEmpty = result.Buffer.IsEmpty;
                input.AdvanceTo(result.Buffer.Start, isDecided ? result.Buffer.Start : result.Buffer.End);
                if (!isDecided) continue;

                if (isTls) await AnswerTlsAsync(connection, patience.Token);
                else if (!isHttp2 && !isEmpty) await AnswerAsync(connection, patience.Token);
                return isHttp2;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            return false; // Silent or gone: there is nobody to tell.
        }
    }

    private static bool StartsWith(in ReadOnlySequence<byte> buffer, ReadOnlySpan<byte> expected)
    {
        if (buffer.Length < expected.Length) return false;
        Span<byte> start = stackalloc byte[expected.Length];
        buffer.Slice(0, start.Length).CopyTo(start);
        return start.SequenceEqual(expected);
    }

    private async Task AnswerTlsAsync(ConnectionContext connection, CancellationToken cancellationToken)
    {
        if (IsNews((connection.RemoteEndPoint as IPEndPoint)?.Address.ToString() ?? "") && connection.Features.Get<RpcConnection>() is { Port: var port })
            LogTls(port.Log, connection.RemoteEndPoint);
        await connection.Transport.Output.WriteAsync(TlsAlert, cancellationToken);
    }

    private bool IsNews(string peer)
    {
        lock (_gate)
        {
            if (_told.TryGetValue(peer, out long at) && options.Time.GetElapsedTime(at) < SilenceAfterTold) return false;
            if (_told.Count >= PeersToldMax) _told.Clear();
            _told[peer] = options.Time.GetTimestamp();
            return true;
        }
    }

    [LoggerMessage(3, LogLevel.Warning, "{Peer} speaks TLS to the gRPC port, which speaks without: give that client grpc:// or http:// in place of grpcs:// or https:// (Buck2: tls = false)", EventName = "tls_on_plain_port")]
    private static partial void LogTls(ILogger log, EndPoint? peer);

    private async Task AnswerAsync(ConnectionContext connection, CancellationToken cancellationToken)
    {
        string body = options.Http1Answer + "\n";
        await connection.Transport.Output.WriteAsync(Encoding.UTF8.GetBytes(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"), cancellationToken);
    }
}
