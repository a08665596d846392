using System.Security.Cryptography;
using System.Text;
using Google.Protobuf;
using RemoteExec.Core;

namespace RemoteExec.Assets;

/// <summary>What content is known under: the hash of everything that says which one is meant. Secrets go into it and do not come out.</summary>
internal static class AssetNames
{
    /// <summary>Of the content of one of the URIs.</summary>
    public static ByteString Of(AssetRequest request, int uri)
    {
        var text = new StringBuilder();
        Add(text, request.Kind.ToString(), request.Instance.Value, request.Function.WireName(), request.Uris[uri].OriginalString);
        foreach (var each in request.Qualifiers.Naming) Add(text, each.Name, each.Value);
        return Hash(text);
    }

    /// <summary>Of the whole question: equal ones share a fetch.</summary>
    public static ByteString OfQuestion(AssetRequest request)
    {
        var text = new StringBuilder();
        Add(text, request.Kind.ToString(), request.Instance.Value, request.Function.WireName());
        foreach (var uri in request.Uris) Add(text, uri.OriginalString);
        Add(text, "");
        foreach (var each in request.Qualifiers.All) Add(text, each.Name, each.Value);
        return Hash(text);
    }

    // Lengths keep the parts apart.
    private static void Add(StringBuilder text, params ReadOnlySpan<string> parts)
    {
        foreach (string part in parts) text.Append(part.Length).Append(':').Append(part);
    }

    private static ByteString Hash(StringBuilder text) => ByteString.CopyFrom(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
}
