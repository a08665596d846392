using System.Buffers;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// Looks at the first bytes of a connection. HTTP/2 starts with its preface (RFC 9113 section 3.4); anything else
/// is a browser or a misdirected tool, and gets one plain sentence instead of a dead line.
/// </summary>
internal sealed class PrefaceGuard(RpcServerOptions options)
{
    private static readonly TimeSpan FirstBytesMax = TimeSpan.FromSeconds(30);

    // Three bytes tell "PRI" from every HTTP/1 method (POST, PUT, PATCH start otherwise at the second).
    private static ReadOnlySpan<byte> PrefaceStart => "PRI"u8;

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
                bool isHttp2 = StartsWithPreface(result.Buffer);
                bool isEmpty = result.Buffer.IsEmpty;
                input.AdvanceTo(result.Buffer.Start, isDecided ? result.Buffer.Start : result.Buffer.End);
                if (!isDecided) continue;

                if (!isHttp2 && !isEmpty) await AnswerAsync(connection, patience.Token);
                return isHttp2;
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException)
        {
            return false; // Silent or gone: there is nobody to tell.
        }
    }

    private static bool StartsWithPreface(in ReadOnlySequence<byte> buffer)
    {
        if (buffer.Length < PrefaceStart.Length) return false;
        Span<byte> start = stackalloc byte[3];
        buffer.Slice(0, start.Length).CopyTo(start);
        return start.SequenceEqual(PrefaceStart);
    }

    private async Task AnswerAsync(ConnectionContext connection, CancellationToken cancellationToken)
    {
        string body = options.Http1Answer + "\n";
        await connection.Transport.Output.WriteAsync(Encoding.UTF8.GetBytes(
            "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
            + $"Content-Length: {Encoding.UTF8.GetByteCount(body)}\r\nConnection: close\r\n\r\n{body}"), cancellationToken);
    }
}
