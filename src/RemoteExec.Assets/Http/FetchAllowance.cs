using System.Diagnostics.CodeAnalysis;
using System.Net;

namespace RemoteExec.Assets;

/// <summary>A host, by its name, or a block of addresses that may be fetched from although it is not public.</summary>
public sealed record FetchAllowance
{
    private FetchAllowance(string? host, IPNetwork? network) => (Host, Network) = (host, network);

    internal string? Host { get; }

    internal IPNetwork? Network { get; }

    /// <summary><c>10.1.0.0/16</c>, <c>fd00::/8</c>, <c>127.0.0.1</c> or <c>mirror.example</c>.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out FetchAllowance? allowance)
    {
        allowance = null;
        if (IPAddress.TryParse(text, out var address)) allowance = new FetchAllowance(null, new IPNetwork(address, address.GetAddressBytes().Length * 8));
        else if (IPNetwork.TryParse(text, out var network)) allowance = new FetchAllowance(null, network);
        else if (Uri.CheckHostName(text) == UriHostNameType.Dns) allowance = new FetchAllowance(text.TrimEnd('.'), null);
        return allowance is not null;
    }
}
