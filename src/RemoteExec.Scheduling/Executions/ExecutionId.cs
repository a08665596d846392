using System.Buffers;
using System.Globalization;

namespace RemoteExec.Scheduling;

/// <summary>
/// Names one execution: 128 random bits, written as 32 hexadecimal digits. Random, because whoever knows an
/// operation's name may watch it, and because two coordinators must never invent the same one.
/// </summary>
public readonly record struct ExecutionId(UInt128 Value)
{
    // One spelling only: a name is compared as text elsewhere.
    private static readonly SearchValues<char> HexDigits = SearchValues.Create("0123456789abcdef");

    public static bool TryParse(ReadOnlySpan<char> text, out ExecutionId id)
    {
        id = default;
        if (text.Length != 32 || text.ContainsAnyExcept(HexDigits)) return false;

        id = new ExecutionId(UInt128.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
        return true;
    }

    public override string ToString() => Value.ToString("x32", CultureInfo.InvariantCulture);
}
