using System.Net;
using Microsoft.AspNetCore.Connections;

namespace RemoteExec.Rpc;

/// <summary>Keeps hold of the listening socket, so that a drain can close it before Kestrel is stopped.</summary>
internal sealed class ListenerHandle(IConnectionListenerFactory inner) : IConnectionListenerFactory
{
    private IConnectionListener? _listener;

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken) =>
        _listener = await inner.BindAsync(endpoint, cancellationToken);

    public ValueTask UnbindAsync(CancellationToken cancellationToken) => _listener?.UnbindAsync(cancellationToken) ?? default;
}
