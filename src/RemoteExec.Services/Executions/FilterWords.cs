using RemoteExec.Protocol;

namespace RemoteExec.Services;

/// <summary>Reads the conditions of a filter, one after the other.</summary>
internal ref struct FilterWords(string text)
{
    private const string And = "AND";

    private readonly string _text = text;
    private int _at;

    /// <summary>False at the end.</summary>
    /// <exception cref="Grpc.Core.RpcException">INVALID_ARGUMENT: this is no condition.</exception>
    public bool TryReadCondition(out string key, out bool isEqual, out string value)
    {
        (key, isEqual, value) = ("", true, "");
        SkipSpace();
        int start = _at;
        while (_at < _text.Length && (char.IsAsciiLetterOrDigit(_text[_at]) || _text[_at] == '_')) _at++;
        key = _text[start.._at];
        SkipSpace();
        if (key.Equals(And, StringComparison.OrdinalIgnoreCase) && start > 0 && !IsOperator) return TryReadCondition(out key, out isEqual, out value);
        if (_at == _text.Length && key.Length == 0) return false;
        if (key.Length == 0 || !IsOperator) throw Wrong(start);

        isEqual = _text[_at] == '=';
        _at += isEqual ? 1 : 2;
        SkipSpace();
        value = ReadValue(start);
        return true;
    }

    private readonly bool IsOperator => _at < _text.Length && (_text[_at] == '=' || (_text[_at] == '!' && _at + 1 < _text.Length && _text[_at + 1] == '='));

    private string ReadValue(int start)
    {
        int from = _at;
        if (_at < _text.Length && _text[_at] is '"' or '\'')
        {
            int end = _text.IndexOf(_text[_at], _at + 1);
            if (end < 0) throw Wrong(start);
            _at = end + 1;
            return _text[(from + 1)..end];
        }

        while (_at < _text.Length && !char.IsWhiteSpace(_text[_at])) _at++;
        return _text[from.._at];
    }

    private void SkipSpace()
    {
        while (_at < _text.Length && char.IsWhiteSpace(_text[_at])) _at++;
    }

    private readonly Grpc.Core.RpcException Wrong(int start) => RpcErrors.InvalidField(
        "filter", $"'{RequestOrigins.Clean(_text[start..])}' is no condition; key = value and key != value are, such as stage != completed");
}
