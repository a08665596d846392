using System.Net;
using System.Net.Sockets;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>The addresses that a name has now, and that the guard lets through.</summary>
internal sealed class GuardedAddresses(AddressGuard guard, Func<string, CancellationToken, Task<IPAddress[]>> resolve)
{
    /// <returns>At least one.</returns>
    /// <exception cref="SocketException">The name has none.</exception>
    /// <exception cref="Grpc.Core.RpcException">PERMISSION_DENIED.</exception>
    public async ValueTask<IReadOnlyList<IPAddress>> FindAsync(string host, CancellationToken cancellationToken)
    {
        var found = await resolve(host, cancellationToken);
        var allowed = found.Where(address => guard.Allows(host, address)).ToList();
        if (allowed.Count > 0) return allowed;
        throw found.Length == 0
            ? new SocketException((int)SocketError.HostNotFound)
            : RpcErrors.Of(
                Grpc.Core.StatusCode.PermissionDenied,
                $"{PrintableText.Escape(host, 256)} has no public address, and others are not fetched from; --fetch-allow names exceptions");
    }
}
