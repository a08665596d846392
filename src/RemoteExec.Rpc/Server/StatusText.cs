using System.Text;

namespace RemoteExec.Rpc;

/// <summary>
/// Keeps a status sentence within what clients take. grpc-java, Bazel's, refuses trailers beyond 8 KiB and then knows not even the code;
/// details of up to 4 KiB take 5.5 of them in base64.
/// </summary>
internal static class StatusText
{
    private const int HeaderCharactersMax = 1536;
    private const string Ellipsis = "...";

    /// <summary>The value of <c>grpc-message</c> (gRPC over HTTP/2, "Percent-Encoded"); plain text stays plain for people to read.</summary>
    public static string Encode(string text) =>
        text.AsSpan().ContainsAnyExceptInRange(' ', '~') || text.Contains('%', StringComparison.Ordinal) ? Uri.EscapeDataString(text) : text;

    /// <summary>Cut between characters, by the length that it will have when it is encoded.</summary>
    public static string Cut(string text)
    {
        if (text.Length <= HeaderCharactersMax / 9) return text; // three bytes of UTF-8, each as %XX

        int length = 0, end = 0, taken = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            length += rune.Value is >= ' ' and <= '~' and not '%' ? 1 : rune.Utf8SequenceLength * 3;
            if (length > HeaderCharactersMax) return string.Concat(text.AsSpan(0, end), Ellipsis);
            taken += rune.Utf16SequenceLength;
            if (length <= HeaderCharactersMax - Ellipsis.Length) end = taken;
        }

        return text;
    }
}
