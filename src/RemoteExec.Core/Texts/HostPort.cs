using System.Globalization;

namespace RemoteExec.Core;

/// <summary>
/// An address to listen on or to call: <c>127.0.0.1:8980</c>, <c>[::1]:8980</c>, <c>builder:8980</c>. Port 0 lets the kernel choose.
/// The scheme may stand in front (<c>grpc://builder:8980</c>): what one program prints, another takes.
/// </summary>
public readonly record struct HostPort(string Host, int Port)
{
    private const string Scheme = "grpc://";

    public static bool TryParse(string text, out HostPort address)
    {
        address = default;
        if (text.StartsWith(Scheme, StringComparison.Ordinal)) text = text[Scheme.Length..];
        int colon = text.LastIndexOf(':');
        if (colon <= 0) return false;

        string host = text[..colon];
        bool isBracketed = host.StartsWith('[') && host.EndsWith(']');
        // Without brackets "::1:8980" could be cut anywhere.
        if (host.Contains(':', StringComparison.Ordinal) && !isBracketed) return false;
        if (isBracketed) host = host[1..^1];
        if (Uri.CheckHostName(host) == UriHostNameType.Unknown) return false;
        if (!ushort.TryParse(text.AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out ushort port)) return false;

        address = new HostPort(host, port);
        return true;
    }

    public override string ToString() =>
        Host?.Contains(':', StringComparison.Ordinal) == true
            ? string.Create(CultureInfo.InvariantCulture, $"[{Host}]:{Port}")
            : string.Create(CultureInfo.InvariantCulture, $"{Host}:{Port}");
}
