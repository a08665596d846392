using System.Buffers.Text;
using Microsoft.AspNetCore.Http;

namespace RemoteExec.Rpc;

/// <summary>
/// Metadata in base64 (gRPC over HTTP/2, "Custom-Metadata"). Grpc.AspNetCore fails a handler that looks at its metadata, as if it had a
/// bug, over a value that is no base64, or that was joined with another by a comma on the way.
/// </summary>
internal static class BinaryMetadata
{
    private const string Suffix = "-bin";

    /// <summary>Keeps the last of several values: a proxy adds its own behind the client's. The name of a header that is no base64, or null.</summary>
    public static string? FindBroken(IHeaderDictionary headers)
    {
        List<(string Name, string Last)>? joined = null;
        foreach (var (name, values) in headers)
        {
            if (!name.EndsWith(Suffix, StringComparison.OrdinalIgnoreCase)) continue;

            string all = values.ToString();
            int comma = all.LastIndexOf(',');
            string last = all[(comma + 1)..].Trim();
            if (!IsBase64(last)) return name;
            if (comma >= 0) (joined ??= []).Add((name, last));
        }

        foreach (var (name, last) in joined ?? []) headers[name] = last;
        return null;
    }

    // With or without padding.
    private static bool IsBase64(string text)
    {
        string bare = text.TrimEnd('=');
        return Base64.IsValid(bare.PadRight((bare.Length + 3) / 4 * 4, '='));
    }
}
