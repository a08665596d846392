using System.Buffers;
using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>A header that a client wants an origin to be asked with.</summary>
/// <param name="Uri">The number of the URI that it is for; null for all.</param>
internal sealed record FetchHeader(string Name, string Value, int? Uri)
{
    // RFC 9110, 5.6.2.
    private static readonly SearchValues<char> Token = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    // They say how the message is framed, to whom it goes, and which part is wanted: that is ours to say.
    private static readonly HashSet<string> Ours = new(StringComparer.OrdinalIgnoreCase)
    {
        "Host", "Connection", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Expect", "Keep-Alive", "Proxy-Connection",
        "Proxy-Authorization", "Range", "If-Range", "Accept-Encoding",
    };

    public static FetchHeader Parse(string name, string value, int? uri)
    {
        if (name.Length == 0 || name.AsSpan().ContainsAnyExcept(Token))
            throw RpcErrors.InvalidField("qualifiers.name", $"{PrintableText.Quote(name, 64)} is not the name of a header");
        if (Ours.Contains(name)) throw RpcErrors.InvalidField("qualifiers.name", $"the header {name} is not a client's to set");
        // A line break would begin a header of its own. The value may be a secret, so it is not quoted.
        if (value.Any(letter => letter is (< ' ' and not '\t') or > '~'))
            throw RpcErrors.InvalidField("qualifiers.value", $"the value of the header {name} has a character that no header has");
        return new FetchHeader(name, value, uri);
    }
}
