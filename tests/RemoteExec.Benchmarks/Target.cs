using System.Globalization;
using System.Text.Json.Serialization;

namespace RemoteExec.Benchmarks;

/// <summary>A bound, from above for times and from below for rates; or none, where a figure only informs.</summary>
[JsonConverter(typeof(TargetJsonConverter))]
internal readonly record struct Target(double? AtMostValue, double? AtLeastValue)
{
    public static Target None => default;

    public static Target AtMost(double value) => new(value, null);

    public static Target AtLeast(double value) => new(null, value);

    public bool IsMetBy(double value) => !(value > AtMostValue) && !(value < AtLeastValue);

    public override string ToString() => this switch
    {
        { AtMostValue: { } value } => string.Create(CultureInfo.InvariantCulture, $"≤ {value:0.##}"),
        { AtLeastValue: { } value } => string.Create(CultureInfo.InvariantCulture, $"≥ {value:0.##}"),
        _ => "",
    };
}
