using System.Net;
using System.Net.Sockets;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>Connects to the addresses that a name has now, and that the guard has seen.</summary>
internal sealed class GuardedConnections(AddressGuard guard, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
{
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port) = (context.DnsEndPoint.Host, context.DnsEndPoint.Port);
        var found = await resolve(host, cancellationToken);
        var addresses = found.Where(address => guard.Allows(host, address)).ToList();
        if (addresses.Count == 0)
        {
            throw found.Length == 0
                ? new SocketException((int)SocketError.HostNotFound)
                : RpcErrors.Of(
                    Grpc.Core.StatusCode.PermissionDenied,
                    $"{PrintableText.Escape(host, 256)} has no public address, and others are not fetched from; --fetch-allow names exceptions");
        }

        for (int i = 0; ; i++)
        {
            var socket = new Socket(addresses[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(addresses[i], port, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException) when (i < addresses.Count - 1)
            {
                socket.Dispose(); // the next may answer
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
