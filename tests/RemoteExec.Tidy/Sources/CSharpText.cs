namespace RemoteExec.Tidy;

/// <summary>C# source with its comments and the contents of its literals blanked, line breaks kept: what is left is code.</summary>
internal sealed class CSharpText
{
    private readonly string _text;
    private readonly char[] _code;
    private int _position;

    private CSharpText(string text)
    {
        _text = text;
        _code = text.ToCharArray();
    }

    public static string CodeOf(string text)
    {
        var source = new CSharpText(text);
        source.SkipCode(untilBrace: false);
        return new string(source._code);
    }

    /// <summary>Walks over code, to the end, or to the brace that closes an interpolation.</summary>
    private void SkipCode(bool untilBrace)
    {
        int depth = 0;
        while (_position < _text.Length)
        {
            char next = _text[_position];
            if (At("//")) Blank(LengthUntil("\n", from: 2, includesIt: false));
            else if (At("/*")) Blank(LengthUntil("*/", from: 2, includesIt: true));
            else if (next == '\'') SkipCharacter();
            else if (next is '"' or '$' or '@' && TrySkipString()) continue;
            else
            {
                if (next == '{') depth++;
                if (next == '}' && --depth < 0 && untilBrace) return;
                _position++;
            }
        }
    }

    private bool TrySkipString()
    {
        int start = _position;
        int dollars = 0;
        bool isVerbatim = false;
        for (; At("$") || At("@"); _position++)
        {
            if (_text[_position] == '$') dollars++;
            else isVerbatim = true;
        }

        if (!At("\""))
        {
            // An identifier like @class.
            _position = Math.Max(_position, start + 1);
            return true;
        }

        int quotes = CountOf('"');
        if (quotes >= 3) SkipRaw(quotes, dollars);
        else SkipQuoted(isVerbatim, isInterpolated: dollars > 0);
        return true;
    }

    private void SkipRaw(int quotes, int dollars)
    {
        string end = new('"', quotes);
        _position += quotes;
        while (_position < _text.Length && !At(end))
        {
            if (dollars > 0 && At(new string('{', dollars)))
            {
                _position += dollars;
                SkipCode(untilBrace: true);
                _position += dollars;
            }
            else Blank(1);
        }

        _position += quotes;
    }

    private void SkipQuoted(bool isVerbatim, bool isInterpolated)
    {
        _position++;
        while (_position < _text.Length)
        {
            if (isVerbatim && At("\"\"")) Blank(2);
            else if (!isVerbatim && At("\\")) Blank(2);
            else if (At("\"")) break;
            else if (isInterpolated && (At("{{") || At("}}"))) Blank(2);
            else if (isInterpolated && At("{"))
            {
                _position++;
                SkipCode(untilBrace: true);
                _position++;
            }
            else Blank(1);
        }

        _position++;
    }

    private void SkipCharacter()
    {
        _position++;
        while (_position < _text.Length && !At("'")) Blank(At("\\") ? 2 : 1);
        _position++;
    }

    private bool At(string expected) => string.CompareOrdinal(_text, _position, expected, 0, expected.Length) == 0;

    private int CountOf(char repeated)
    {
        int end = _position;
        while (end < _text.Length && _text[end] == repeated) end++;
        return end - _position;
    }

    private int LengthUntil(string end, int from, bool includesIt)
    {
        int found = _text.IndexOf(end, Math.Min(_position + from, _text.Length), StringComparison.Ordinal);
        return found < 0 ? _text.Length - _position : found - _position + (includesIt ? end.Length : 0);
    }

    private void Blank(int length)
    {
        for (int end = Math.Min(_position + length, _text.Length); _position < end; _position++)
        {
            if (_text[_position] is not ('\n' or '\r')) _code[_position] = ' ';
        }
    }
}
