using System.Globalization;
using System.Text;

namespace RemoteExec.Core;

/// <summary>
/// Text of outsiders (targets, command lines, names of files, headers) as it may stand in a log, a terminal, a status or a page.
/// One rule says which characters: no control character (line breaks, escape sequences), no format character (those that turn the
/// direction of writing make a line read as another), no separator of lines. Each caller says how long, in bytes of UTF-8: that
/// is what travels and what is kept. What is cut ends in an ellipsis.
/// </summary>
public static class PrintableText
{
    private enum Style
    {
        Blank,
        Escape,
        Quote,
    }

    /// <summary>A space in place of what is not printable: for what people read at a glance.</summary>
    public static string Blank(string text, int bytesMax) => Write(text, bytesMax, Style.Blank);

    /// <summary>The number of what is not printable, as <c>\u202e</c>: for sentences, where it tells what is wrong.</summary>
    public static string Escape(string text, int bytesMax) => Write(text, bytesMax, Style.Escape);

    /// <summary>
    /// As <see cref="Escape"/>, in quotation marks, with a backslash before those inside and before backslashes: for names inside of sentences. A path of Windows can
    /// still be read, and no name can be taken for another.
    /// </summary>
    public static string Quote(string text, int bytesMax) => $"\"{Write(text, bytesMax, Style.Quote)}\"";

    private static string Write(string text, int bytesMax, Style style)
    {
        if (text.Length <= bytesMax && IsPlain(text, style)) return text;

        var line = new StringBuilder(Math.Min(text.Length, bytesMax) + 16);
        int bytes = 0;
        Span<char> piece = stackalloc char[16];
        // What is no text at all, half a surrogate pair, comes as U+FFFD.
        foreach (var rune in text.EnumerateRunes())
        {
            int length = Write(rune, style, piece);
            bytes += Encoding.UTF8.GetByteCount(piece[..length]);
            if (bytes > bytesMax) return line.Append('…').ToString();
            line.Append(piece[..length]);
        }

        return line.ToString();
    }

    private static int Write(Rune rune, Style style, Span<char> piece)
    {
        bool isPrintable = IsPrintable(rune);
        if (!isPrintable && style == Style.Blank) return new Rune(' ').EncodeToUtf16(piece);
        if (isPrintable && style == Style.Quote && IsQuoteMark(rune))
        {
            piece[0] = '\\';
            return 1 + rune.EncodeToUtf16(piece[1..]);
        }

        if (isPrintable) return rune.EncodeToUtf16(piece);

        bool isShort = rune.Value <= char.MaxValue;
        int length;
        _ = isShort
            ? piece.TryWrite(CultureInfo.InvariantCulture, $"\\u{rune.Value:x4}", out length)
            : piece.TryWrite(CultureInfo.InvariantCulture, $"\\U{rune.Value:x8}", out length);
        return length;
    }

    private static bool IsPlain(ReadOnlySpan<char> text, Style style) =>
        !text.ContainsAnyExceptInRange(' ', '~') && !(style == Style.Quote && text.ContainsAny('"', '\\'));

    private static bool IsQuoteMark(Rune rune) => rune.Value is '"' or '\\';

    private static bool IsPrintable(Rune rune) => Rune.GetUnicodeCategory(rune)
        is not (UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
}
