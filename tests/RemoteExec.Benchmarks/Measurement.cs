using System.Text.Json.Serialization;

namespace RemoteExec.Benchmarks;

/// <summary>One line of the table: what was measured, against what, and whether that is good enough.</summary>
/// <param name="Row">The name in the table.</param>
/// <param name="Measured">The figure, in <paramref name="Unit"/>.</param>
/// <param name="Against">What it was compared with, in the same run; null when the target is absolute.</param>
/// <param name="Ratio">Measured over baseline; the figure itself when the target is absolute.</param>
/// <param name="Target">The bound on the ratio.</param>
internal sealed record Measurement(
    string Row, double Measured, string Unit, string? Against, double? Baseline, double Ratio, Target Target)
{
    [JsonPropertyOrder(1)]
    public bool IsMet => Target.IsMetBy(Ratio);

    public static Measurement Absolute(string row, double measured, string unit, Target target) =>
        new(row, measured, unit, null, null, measured, target);

    public static Measurement Relative(
        string row, double measured, string unit, string against, double baseline, Target target) =>
        new(row, measured, unit, against, baseline, measured / baseline, target);
}
