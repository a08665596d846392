using System.Net;
using System.Net.Sockets;

namespace RemoteExec.EndToEnd;

/// <summary>A way to a server that counts what comes from it, and lets no more through than a test allows: it is cut by bytes, not by time.</summary>
internal sealed class MeteredRelay : IAsyncDisposable
{
    private const int PieceBytes = 64 << 10;

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly IPEndPoint _server;
    private readonly CancellationTokenSource _ending = new();
    private readonly Lock _gate = new();
    private readonly List<Task> _pumps = [];
    private readonly Task _accepting;
    private TaskCompletionSource _closed = new(TaskCreationOptions.RunContinuationsAsynchronously); // nothing more gets through
    private TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _passed;
    private long _allowed = long.MaxValue;

    public MeteredRelay(string serverAddress)
    {
        _server = IPEndPoint.Parse(serverAddress);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public string Address => _listener.LocalEndpoint.ToString()!; // it is bound

    /// <summary>Bytes that have gone from the server to its clients.</summary>
    public long PassedBytes
    {
        get { lock (_gate) return _passed; }
    }

    /// <summary>Lets so many bytes more through; completes when they have gone.</summary>
    public Task Allow(long bytes)
    {
        lock (_gate)
        {
            _allowed = bytes == long.MaxValue ? bytes : _passed + bytes;
            _closed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            _opened.SetResult();
            _opened = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _closed.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_pumps);
        _ending.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptSocketAsync(_ending.Token);
                _pumps.Add(ServeAsync(client));
            }
        }
        catch (Exception over) when (over is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(Socket client)
    {
        using var server = new Socket(_server.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        using (client)
        using (var over = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token))
        {
            try
            {
                await server.ConnectAsync(_server, over.Token);
                await Task.WhenAny(CopyAsync(client, server, isMetered: false, over.Token), CopyAsync(server, client, isMetered: true, over.Token));
            }
            catch (Exception broken) when (broken is SocketException or OperationCanceledException)
            {
                // The server is away: so is this.
            }

            await over.CancelAsync(); // who loses one side loses the other
        }
    }

    private async Task CopyAsync(Socket from, Socket to, bool isMetered, CancellationToken cancellationToken)
    {
        byte[] piece = new byte[PieceBytes];
        try
        {
            for (int read; (read = await from.ReceiveAsync(piece, cancellationToken)) > 0;)
            {
                for (int sent = 0; sent < read;)
                {
                    int allowed = isMetered ? await TakeAsync(read - sent, cancellationToken) : read - sent;
                    for (int end = sent + allowed; sent < end;) sent += await to.SendAsync(piece.AsMemory(sent, end - sent), cancellationToken);
                }
            }
        }
        catch (Exception broken) when (broken is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // Either side may leave.
        }
    }

    private async Task<int> TakeAsync(int wanted, CancellationToken cancellationToken)
    {
        while (true)
        {
            Task opened;
            lock (_gate)
            {
                int allowed = (int)Math.Min(wanted, _allowed - _passed);
                _passed += allowed;
                if (allowed > 0) return allowed;

                _closed.TrySetResult();
                opened = _opened.Task;
            }

            await opened.WaitAsync(cancellationToken);
        }
    }
}
