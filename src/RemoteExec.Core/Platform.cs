using System.Collections.Immutable;
using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Core;

/// <summary>
/// A sorted list of properties: what an action asks for, or what a worker offers (REAPI Platform). A name may come
/// several times with different values. Equal lists are equal values, so a platform can be a key.
/// </summary>
public sealed class Platform : IEquatable<Platform>
{
    // Clients send a dozen. The bound keeps a hostile request from becoming a key of megabytes.
    public const int PropertiesMax = 256;

    private readonly int _hashCode;

    private Platform(ImmutableArray<PlatformProperty> sorted)
    {
        Properties = sorted;
        var hash = new HashCode();
        foreach (var property in sorted) hash.Add(property);
        _hashCode = hash.ToHashCode();
    }

    public static Platform Empty { get; } = new([]);

    /// <summary>Sorted by name, then by value; no pair twice.</summary>
    public ImmutableArray<PlatformProperty> Properties { get; }

    /// <summary>
    /// Takes properties in any order: old clients do not sort, and the order says nothing. A property without a
    /// name, or the same pair twice, is refused.
    /// </summary>
    public static bool TryCreate(
        IEnumerable<PlatformProperty> properties, [NotNullWhen(true)] out Platform? platform, [NotNullWhen(false)] out string? error)
    {
        platform = null;
        var sorted = properties.Take(PropertiesMax + 1).ToArray();
        error = Check(sorted);
        if (error is not null) return false;

        platform = sorted.Length == 0 ? Empty : new Platform([.. sorted]);
        return true;
    }

    /// <summary>The values given for a name, usually none or one.</summary>
    public IEnumerable<string> ValuesOf(string name) =>
        Properties.Where(property => property.Name == name).Select(property => property.Value);

    public bool Equals(Platform? other) =>
        other is not null && _hashCode == other._hashCode && Properties.AsSpan().SequenceEqual(other.Properties.AsSpan());

    public override bool Equals(object? obj) => Equals(obj as Platform);

    public override int GetHashCode() => _hashCode;

    /// <summary><c>ISA=x86-64, OSFamily=linux</c>; empty for no properties.</summary>
    public override string ToString() => string.Join(", ", Properties);

    /// <summary>Sorts in place; the answer is what is wrong, or null.</summary>
    private static string? Check(PlatformProperty[] properties)
    {
        if (properties.Length > PropertiesMax)
            return $"the platform has more than {PropertiesMax} properties";

        Array.Sort(properties);
        for (int i = 0; i < properties.Length; i++)
        {
            if (properties[i].Name.Length == 0)
                return $"a platform property with the value '{properties[i].Value}' has no name";
            if (i > 0 && properties[i] == properties[i - 1])
                return $"the platform property {properties[i]} is given twice";
        }

        return null;
    }
}
