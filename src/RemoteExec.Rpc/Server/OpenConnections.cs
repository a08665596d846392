using System.Collections.Concurrent;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace RemoteExec.Rpc;

/// <summary>
/// The connections there are, to drain them. Kestrel's own stop sends GOAWAY as well, but its clock stands still
/// from then on, and a connection whose last call ends is only noticed at the client's next frame. So connections
/// are asked to close while Kestrel still runs, and it is stopped when they have.
/// </summary>
internal sealed class OpenConnections
{
    private readonly ConcurrentDictionary<ConnectionContext, Task> _connections = new();
    private volatile bool _isClosing;

    public ConnectionDelegate Wrap(ConnectionDelegate next) => connection => RunAsync(connection, next);

    /// <summary>Sends GOAWAY on every connection, and completes when the last of them has ended; at the limit they are cut off.</summary>
    public async Task CloseAsync(CancellationToken limit)
    {
        _isClosing = true;
        foreach (var connection in _connections.Keys) RequestClose(connection);
        await Task.WhenAll(_connections.Values).WaitAsync(limit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        foreach (var connection in _connections.Keys) connection.Abort(new ConnectionAbortedException("the server has left"));
    }

    private static void RequestClose(ConnectionContext connection) =>
        connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();

    private async Task RunAsync(ConnectionContext connection, ConnectionDelegate next)
    {
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _connections[connection] = ended.Task;
        try
        {
            if (_isClosing) RequestClose(connection); // accepted just before the listener went
            await next(connection);
        }
        finally
        {
            _connections.TryRemove(connection, out _);
            ended.SetResult();
        }
    }
}
