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
    /// Takes properties in any order and forgets repeated pairs: not every client sorts, and neither says anything.
    /// </summary>
    public static bool TryCreate(
        IEnumerable<PlatformProperty> properties, [NotNullWhen(true)] out Platform? platform, [NotNullWhen(false)] out string? error)
    {
        platform = null;
        var taken = properties.Distinct().Take(PropertiesMax + 1).ToArray();
        error = Check(taken);
        if (error is not null) return false;

        Array.Sort(taken);
        platform = taken.Length == 0 ? Empty : new Platform([.. taken]);
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

    private static string? Check(PlatformProperty[] properties)
    {
        if (properties.Length > PropertiesMax) return $"the platform has more than {PropertiesMax} properties";

        foreach (var property in properties)
        {
            if (property.Name.Length == 0) return $"a platform property with the value '{property.Value}' has no name";
        }

        return null;
    }
}
