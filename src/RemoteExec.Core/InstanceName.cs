using System.Diagnostics.CodeAnalysis;

namespace RemoteExec.Core;

/// <summary>
/// REAPI's <c>instance_name</c>: opaque, of any depth, possibly empty. No segment may be one of the words by which
/// resource names are parsed, or a name could be read in two ways.
/// </summary>
public readonly record struct InstanceName
{
    // Our bound, REAPI has none: names are keys in caches and labels in logs.
    public const int LengthMax = 512;

    private readonly string? _value;

    private InstanceName(string value) => _value = value;

    /// <summary>The empty name, the one that clients use unless told otherwise; also <c>default</c>.</summary>
    public static InstanceName Empty => default;

    public string Value => _value ?? "";

    public static bool TryParse(string value, out InstanceName name, [NotNullWhen(false)] out string? error)
    {
        error = Check(value);
        // Empty is stored as absent, so that equality needs no special case.
        name = error is null && value.Length > 0 ? new InstanceName(value) : default;
        return error is null;
    }

    public override string ToString() => Value;

    // REAPI, "instance_name" on every request.
    internal static bool IsReserved(ReadOnlySpan<char> segment) =>
        segment is "blobs" or "uploads" or "actions" or "actionResults" or "operations" or "capabilities" or "compressed-blobs";

    private static string? Check(string value)
    {
        if (value.Length > LengthMax)
            return $"the instance name has {value.Length} characters, at most {LengthMax} are allowed";
        if (value.AsSpan().ContainsAnyInRange('\u0000', '\u001f') || value.Contains('\u007f', StringComparison.Ordinal))
            return "the instance name has a control character";

        foreach (var range in value.AsSpan().Split('/'))
        {
            var segment = value.AsSpan()[range];
            if (IsReserved(segment)) return $"the instance name has the segment '{segment}', which resource names reserve";
        }

        return null;
    }
}
