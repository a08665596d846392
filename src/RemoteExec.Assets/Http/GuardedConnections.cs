using System.Net.Sockets;

namespace RemoteExec.Assets;

/// <summary>Connects to the addresses that a name has now, and that the guard has seen.</summary>
internal sealed class GuardedConnections(GuardedAddresses guarded)
{
    public async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await guarded.FindAsync(context.DnsEndPoint.Host, cancellationToken);
        for (int i = 0; ; i++)
        {
            var socket = new Socket(addresses[i].AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(addresses[i], context.DnsEndPoint.Port, cancellationToken);
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
