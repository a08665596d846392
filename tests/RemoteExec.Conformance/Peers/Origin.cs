using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace RemoteExec.Conformance;

/// <summary>A web server of the suite's own, for a server that fetches: it has one content, or takes a request and says nothing.</summary>
internal sealed class Origin : IAsyncDisposable
{
    private const int HeadBytesMax = 64 << 10;

    private readonly TcpListener _listener = new(IPAddress.Loopback, port: 0);
    private readonly CancellationTokenSource _ending = new();
    private readonly ConcurrentBag<Task> _serving = [];
    private readonly Task _accepting;
    private volatile byte[]? _content;
    private volatile int _requests;

    /// <param name="content">Null says nothing.</param>
    public Origin(byte[]? content)
    {
        _content = content;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Uri => $"http://{_listener.LocalEndpoint}/content";

    public int Requests => _requests;

    /// <summary>From now on.</summary>
    public void Serve(byte[] content) => _content = content;

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _accepting;
        await Task.WhenAll(_serving);
        _listener.Dispose();
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true) _serving.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_ending.Token)));
        }
        catch (OperationCanceledException)
        {
            // It is disposed of.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var connection = client;
        try
        {
            var stream = connection.GetStream();
            byte[] head = new byte[HeadBytesMax];
            int read = 0;
            while (head.AsSpan(0, read).IndexOf("\r\n\r\n"u8) < 0)
            {
                int more = await stream.ReadAsync(head.AsMemory(read), _ending.Token);
                if (more == 0) return;
                read += more;
            }

            Interlocked.Increment(ref _requests);
            if (_content is not { } content)
            {
                await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _ending.Token);
                return;
            }

            await stream.WriteAsync(Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Length: {content.Length}\r\nConnection: close\r\n\r\n")), _ending.Token);
            await stream.WriteAsync(content, _ending.Token);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException)
        {
            // Its client has left, or the check is over.
        }
    }
}
