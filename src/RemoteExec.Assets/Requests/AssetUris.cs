using RemoteExec.Core;
using RemoteExec.Protocol;

namespace RemoteExec.Assets;

/// <summary>The URIs of a request.</summary>
public static class AssetUris
{
    private const int CountMax = 64;
    private const int LengthMax = 8192;

    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT (REAPI S1).</exception>
    public static IReadOnlyList<Uri> Parse(IReadOnlyList<string> texts)
    {
        if (texts.Count is 0 or > CountMax) throw RpcErrors.InvalidField("uris", $"there are {texts.Count} uris, from 1 to {CountMax} are taken");

        var uris = new List<Uri>();
        foreach (string text in texts)
        {
            string? problem = text.Length > LengthMax ? $"is longer than {LengthMax} characters"
                : !Uri.TryCreate(text, UriKind.Absolute, out var uri) ? "is not an address"
                : Problem(uri);
            if (problem is not null) throw RpcErrors.InvalidField("uris", $"{PrintableText.Quote(text.Split('?')[0], 128)} {problem}");
            uris.Add(new Uri(text));
        }

        return uris;
    }

    /// <summary>What is wrong with it, or null (REAPI S4: which schemes).</summary>
    internal static string? Problem(Uri uri) =>
        uri.Scheme != Uri.UriSchemeHttp && uri.Scheme != Uri.UriSchemeHttps ? "is not http or https"
        : uri.Host.Length == 0 ? "names no host"
        : uri.UserInfo.Length > 0 ? "has a user in it; credentials go into a header"
        : null;
}
