using System.Net;
using System.Net.Sockets;

namespace RemoteExec.Assets;

/// <summary>
/// Keeps clients from reaching through this server what they do not reach themselves (REAPI S4): its own machine, its network, the service
/// that hands credentials to cloud machines. Addresses are looked at, not names, and it is the address looked at that is connected to:
/// a name may be answered differently the next time.
/// </summary>
internal sealed class AddressGuard(IReadOnlyList<FetchAllowance> allowed)
{
    // The registries of special-purpose addresses (RFC 6890 and later), multicast, and what clouds put beside them.
    private static readonly IPNetwork[] Special =
    [
        .. new[]
        {
            "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
            "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
            "168.63.129.16/32", // Azure's own, in the middle of public ones
            "::/128", "::1/128", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8",
        }.Select(text => IPNetwork.Parse(text)),
    ];

    // An IPv4 address stands in them: what a gateway makes of it is what is reached.
    private static readonly (IPNetwork Network, int Offset)[] Embedding =
    [
        (IPNetwork.Parse("64:ff9b::/96"), 12), // NAT64
        (IPNetwork.Parse("2002::/16"), 2), // 6to4
        (IPNetwork.Parse("::/96"), 12), // IPv4-compatible
    ];

    /// <param name="host">The name that led to it: one that is allowed may lead anywhere.</param>
    public bool Allows(string host, IPAddress address)
    {
        if (address.IsIPv4MappedToIPv6) address = address.MapToIPv4();
        foreach (var each in allowed)
        {
            if (string.Equals(each.Host, host.TrimEnd('.'), StringComparison.OrdinalIgnoreCase)) return true;
            if (each.Network is { } network && network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address)) return true;
        }

        return IsPublic(address);
    }

    private static bool IsPublic(IPAddress address)
    {
        if (Special.Any(network => network.BaseAddress.AddressFamily == address.AddressFamily && network.Contains(address))) return false;
        if (address.AddressFamily != AddressFamily.InterNetworkV6) return address.AddressFamily == AddressFamily.InterNetwork;

        foreach (var (network, offset) in Embedding)
        {
            if (network.Contains(address)) return IsPublic(new IPAddress(address.GetAddressBytes().AsSpan(offset, 4)));
        }

        return true;
    }
}
