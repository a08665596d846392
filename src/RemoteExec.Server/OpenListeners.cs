using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Connections;

namespace RemoteExec.Server;

/// <summary>
/// The listening sockets, to close them while Kestrel still serves what is connected. Those that were inherited are only let go: the
/// service manager holds them, and who connects waits for the next process.
/// </summary>
internal sealed class OpenListeners(IConnectionListenerFactory inner) : IConnectionListenerFactory
{
    private readonly ConcurrentBag<IConnectionListener> _listeners = [];

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken)
    {
        var listener = await inner.BindAsync(endpoint, cancellationToken);
        _listeners.Add(listener);
        return listener;
    }

    public async Task CloseAsync()
    {
        foreach (var listener in _listeners)
            await listener.UnbindAsync(CancellationToken.None);
    }
}
