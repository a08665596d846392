using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using RemoteExec.Core;
using RemoteExec.Hosting;

namespace RemoteExec.Server;

/// <summary>Where a port is: an address to listen on, or a socket that a service manager already listens with.</summary>
/// <param name="Name">The option that names it, and the FileDescriptorName= of its socket unit.</param>
/// <param name="Address">With port 0 while the system has not chosen one.</param>
/// <param name="Socket">What Kestrel is given.</param>
internal sealed record PortAddress(string Name, IPEndPoint Address, EndPoint Socket)
{
    /// <summary>Whether it is reached from this machine only.</summary>
    public bool IsLoopback => IPAddress.IsLoopback(Address.Address);

    /// <summary>The socket of that name, if there is one, else the address that was asked for.</summary>
    /// <exception cref="ServerRefusedException">It names no address of this machine.</exception>
    public static async ValueTask<PortAddress> FindAsync(
        string name, HostPort asked, IReadOnlyList<InheritedSocket> inherited, CancellationToken cancellationToken)
    {
        if (inherited.FirstOrDefault(socket => socket.Name == name) is { Address: { } address } given)
            return new PortAddress(name, address, new FileHandleEndPoint(given.Handle, FileHandleType.Tcp));

        var endPoint = await ResolveAsync(asked, cancellationToken);
        return new PortAddress(name, endPoint, endPoint);
    }

    /// <summary>The refusal for what was thrown where the port was to be opened; null for anything else.</summary>
    public ServerRefusedException? Refuse(Exception failure) => failure switch
    {
        IOException { InnerException: AddressInUseException } => new ServerRefusedException(
            $"{Address} is in use by another program; stop it, or choose another address with --{Name} HOST:PORT", failure),
        SocketException => new ServerRefusedException(
            $"cannot listen on {Address}: {failure.Message}; choose another address with --{Name} HOST:PORT", failure),
        _ => null,
    };

    private static async ValueTask<IPEndPoint> ResolveAsync(HostPort address, CancellationToken cancellationToken)
    {
        if (IPAddress.TryParse(address.Host, out var literal)) return new IPEndPoint(literal, address.Port);
        try
        {
            var found = await Dns.GetHostAddressesAsync(address.Host, cancellationToken);
            return new IPEndPoint(found[0], address.Port);
        }
        catch (SocketException unknown)
        {
            throw new ServerRefusedException($"{address.Host} is not a name of this machine ({unknown.Message}); write an address such as 127.0.0.1:{address.Port}", unknown);
        }
    }
}
