using System.Net;
using System.Net.Sockets;

namespace RemoteExec.EndToEnd;

/// <summary>Stands between a client and a server, as a proxy does, and fails as proxies fail.</summary>
internal sealed class LoopbackRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, port: 0);
    private readonly IPEndPoint _server;
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _gate = new();
    private readonly List<Socket> _sockets = [];
    private readonly List<Task> _pumps = [];
    private readonly Task _accepting;
    private volatile bool _isSilent;

    private LoopbackRelay(IPEndPoint server)
    {
        _server = server;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public Uri Address => new($"http://{_listener.LocalEndpoint}");

    public static LoopbackRelay To(string server) => new(IPEndPoint.Parse(server));

    /// <summary>Closes all that it has open, without a goodbye to either end.</summary>
    public void Cut()
    {
        lock (_gate)
        {
            foreach (var socket in _sockets)
            {
                socket.LingerState = new LingerOption(true, 0); // a reset, nothing is flushed
                socket.Close();
            }

            _sockets.Clear();
        }
    }

    /// <summary>From here on it takes what comes and passes nothing on: both ends go on thinking that the other is there.</summary>
    public void FallSilent() => _isSilent = true;

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        await _accepting;
        Cut();
        await Task.WhenAll(_pumps);
        _listener.Dispose();
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_ending.Token);
                var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
                lock (_gate) _sockets.AddRange([client, server]);
                await server.ConnectAsync(_server, _ending.Token);
                _pumps.AddRange([PumpAsync(client, server), PumpAsync(server, client)]);
            }
        }
        catch (OperationCanceledException)
        {
            // It is disposed of.
        }
    }

    private async Task PumpAsync(Socket from, Socket to)
    {
        byte[] bytes = new byte[64 << 10];
        try
        {
            while (await from.ReceiveAsync(bytes) is > 0 and var count)
            {
                if (!_isSilent) await to.SendAsync(bytes.AsMemory(0, count));
            }

            if (!_isSilent) to.Shutdown(SocketShutdown.Send);
        }
        catch (Exception closed) when (closed is SocketException or ObjectDisposedException)
        {
            // Cut, or one end is gone: the other is told by its own.
        }
    }
}
