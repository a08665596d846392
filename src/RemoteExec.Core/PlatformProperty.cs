using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Core;

/// <summary>One requirement or offer, such as <c>OSFamily=linux</c> (REAPI Platform.Property). Both are compared exactly.</summary>
public readonly record struct PlatformProperty(string Name, string Value) : IComparable<PlatformProperty>
{
    public static bool operator <(PlatformProperty left, PlatformProperty right) => left.CompareTo(right) < 0;

    public static bool operator <=(PlatformProperty left, PlatformProperty right) => left.CompareTo(right) <= 0;

    public static bool operator >(PlatformProperty left, PlatformProperty right) => left.CompareTo(right) > 0;

    public static bool operator >=(PlatformProperty left, PlatformProperty right) => left.CompareTo(right) >= 0;

    /// <summary>Takes <c>NAME=VALUE</c>. The value may be empty and may contain <c>=</c>.</summary>
    public static bool TryParse(string text, out PlatformProperty property, [NotNullWhen(false)] out string? error)
    {
        int equals = text.IndexOf('=', StringComparison.Ordinal);
        property = equals > 0 ? new PlatformProperty(text[..equals], text[(equals + 1)..]) : default;
        error = equals > 0 ? null : $"'{text}' is not NAME=VALUE";
        return error is null;
    }

    /// <summary>REAPI's order: by name, then by value. Ordinal, which for UTF-8 text is near enough the order of its bytes.</summary>
    public int CompareTo(PlatformProperty other)
    {
        int byName = string.CompareOrdinal(Name, other.Name);
        return byName != 0 ? byName : string.CompareOrdinal(Value, other.Value);
    }

    public override string ToString() => $"{Name}={Value}";
}
