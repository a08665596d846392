using System.Net;
using Microsoft.AspNetCore.Http;

namespace RemoteExec.Web;

/// <summary>
/// A web site can point its own name at 127.0.0.1 and let a visitor's browser read what this server answers (DNS
/// rebinding). A server on loopback therefore answers only to names of loopback.
/// </summary>
internal sealed class HostGuard(IPAddress boundTo)
{
    public bool Allows(HostString host)
    {
        if (!IPAddress.IsLoopback(boundTo)) return true;
        return host.Host is "localhost" || (IPAddress.TryParse(host.Host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
    }
}
