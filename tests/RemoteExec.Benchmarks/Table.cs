using System.Globalization;
using System.Text;

namespace RemoteExec.Benchmarks;

/// <summary>The report that a person reads.</summary>
internal static class Table
{
    public static string Format(IReadOnlyList<Measurement> measurements)
    {
        string[][] rows =
        [
            ["row", "measured", "against", "ratio", "target", ""],
            .. measurements.Select(Row),
        ];
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(row => row[column].Length))];

        var text = new StringBuilder();
        foreach (string[] row in rows)
            text.AppendLine(string.Join("  ", row.Select((cell, column) => cell.PadRight(widths[column]))).TrimEnd());
        return text.ToString();
    }

    private static string[] Row(Measurement measurement) =>
    [
        measurement.Row,
        $"{Number(measurement.Measured)} {measurement.Unit}",
        measurement.Against is null ? "" : $"{measurement.Against}: {Number(measurement.Baseline!.Value)} {measurement.Unit}",
        measurement.Against is null ? "" : $"{Number(measurement.Ratio)} ×",
        measurement.Target.ToString(),
        measurement.Target == Target.None ? "" : measurement.IsMet ? "met" : "MISSED",
    ];

    // Three digits that mean something.
    private static string Number(double value) => value switch
    {
        >= 100 => value.ToString("0", CultureInfo.InvariantCulture),
        >= 10 => value.ToString("0.0", CultureInfo.InvariantCulture),
        >= 1 => value.ToString("0.00", CultureInfo.InvariantCulture),
        _ => value.ToString("0.000", CultureInfo.InvariantCulture),
    };
}
