using System.Buffers;
using System.Globalization;
using System.Text;

namespace RemoteExec.Rpc;

/// <summary>
/// The <c>grpc-message</c> trailer: UTF-8 with every byte outside printable ASCII, and the percent sign, as
/// <c>%XX</c> (gRPC over HTTP/2, "Percent-Encoded"). A reader takes anything and never fails.
/// </summary>
internal static class PercentEncoding
{
    private const string Ellipsis = "...";

    private static readonly SearchValues<char> Plain =
        SearchValues.Create(" !\"#$&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~");

    /// <summary>Not more than <paramref name="charactersMax"/>: what is cut is cut between characters, and says so.</summary>
    public static string Encode(string text, int charactersMax)
    {
        string encoded = Encode(text);
        if (encoded.Length <= charactersMax) return encoded;

        int end = charactersMax - Ellipsis.Length;
        while (end > 0 && !IsCharacterStart(encoded, end)) end--;
        return string.Concat(encoded.AsSpan(0, end), Ellipsis);
    }

    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExcept(Plain)) return text;

        var encoded = new StringBuilder(text.Length + 16);
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            if (value is >= 0x20 and <= 0x7E and not (byte)'%') encoded.Append((char)value);
            else encoded.Append('%').Append(value.ToString("X2", CultureInfo.InvariantCulture));
        }

        return encoded.ToString();
    }

    // Not inside %XX, and not before a byte that continues a UTF-8 sequence: 0x80 to 0xBF.
    private static bool IsCharacterStart(string encoded, int index) =>
        encoded[index - 1] != '%' && (index < 2 || encoded[index - 2] != '%')
        && !(encoded[index] == '%' && encoded[index + 1] is '8' or '9' or 'A' or 'B');

    public static string Decode(string text)
    {
        if (!text.Contains('%', StringComparison.Ordinal)) return text;

        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(text.Length)];
        int count = 0;
        for (int i = 0; i < text.Length; i++)
        {
            // "%" without two hex digits stands for itself: a broken message is still better than none.
            if (text[i] == '%' && i + 2 < text.Length
                && byte.TryParse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value))
            {
                bytes[count++] = value;
                i += 2;
            }
            else
            {
                count += Encoding.UTF8.GetBytes(text.AsSpan(i, 1), bytes.AsSpan(count));
            }
        }

        return Encoding.UTF8.GetString(bytes, 0, count);
    }
}
