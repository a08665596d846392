using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace RemoteExec.Testing;

/// <summary>Somebody's web server: what it answers is the test's, byte for byte. One request a connection.</summary>
internal sealed class HttpOriginServer : IAsyncDisposable
{
    private readonly SslStreamCertificateContext? _certificate;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<string, Func<Task<byte[]>>> _answers = new();
    private readonly ConcurrentQueue<string> _requests = new();
    private readonly ConcurrentDictionary<Task, bool> _serving = new();
    private readonly CancellationTokenSource _ending = new();
    private readonly Task _accepting;
    private bool _isClosed;

    /// <param name="certificate">Null is http.</param>
    public HttpOriginServer(X509Certificate2? certificate = null)
    {
        // Offline: it would look for the authority itself.
        _certificate = certificate is null ? null : SslStreamCertificateContext.Create(certificate, additionalCertificates: null, offline: true);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The heads of all requests so far.</summary>
    public IReadOnlyCollection<string> Requests => _requests;

    public string UriOf(string path, string host = "127.0.0.1") => $"{(_certificate is null ? "http" : "https")}://{host}:{Port}{path}";

    public void Serve(string path, byte[] content) => Answer(path, Ok(content));

    public void Redirect(string path, string location) => Answer(path, Encoding.ASCII.GetBytes($"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));

    public void Refuse(string path, int status) => Answer(path, Encoding.ASCII.GetBytes($"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"));

    public void Answer(string path, byte[] response) => AnswerWhen(path, Task.FromResult(response));

    /// <summary>Answers when the test says what.</summary>
    public void AnswerWhen(string path, Task<byte[]> response) => _answers[path] = () => response;

    public static byte[] Ok(byte[] content) => [.. Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n"), .. content];

    public async ValueTask DisposeAsync()
    {
        if (_isClosed) return;
        _isClosed = true;
        await _ending.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_serving.Keys);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_ending.IsCancellationRequested)
        {
            try
            {
                var socket = await _listener.AcceptSocketAsync(_ending.Token);
                var serving = ServeAsync(socket);
                _serving[serving] = true;
            }
            catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return; // the test is over
            }
        }
    }

    private async Task<Stream> OpenAsync(Socket socket)
    {
        var plain = new NetworkStream(socket, ownsSocket: true);
        if (_certificate is null) return plain;

        var secure = new SslStream(plain);
        try
        {
            await secure.AuthenticateAsServerAsync(new SslServerAuthenticationOptions { ServerCertificateContext = _certificate }, _ending.Token);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync();
            throw;
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        try
        {
            await using var stream = await OpenAsync(socket);
            using var reader = new StreamReader(stream, Encoding.Latin1, leaveOpen: true);
            var head = new StringBuilder();
            while (await reader.ReadLineAsync(_ending.Token) is { Length: > 0 } line) head.Append(line).Append('\n');
            if (head.Length == 0) return;

            _requests.Enqueue(head.ToString());
            string path = head.ToString().Split(' ')[1];
            byte[] response = _answers.TryGetValue(path, out var answer)
                ? await answer().WaitAsync(_ending.Token)
                : "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"u8.ToArray();
            await stream.WriteAsync(response, _ending.Token);
        }
        catch (Exception ended) when (ended is IOException or OperationCanceledException or AuthenticationException)
        {
            // Who asked went away, also because he trusts nobody here, or the test is over.
        }
    }
}
