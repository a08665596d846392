namespace RemoteExec.Server.Tests;

/// <summary>
/// One row of the table of metrics. Labels are written <c>`name`: value, value; `name`</c>; one without values is not limited to any.
/// </summary>
internal sealed record DocumentedMetric(string Type, IReadOnlyDictionary<string, IReadOnlyList<string>> Labels, string Unit)
{
    public static IReadOnlyDictionary<string, DocumentedMetric> ReadTable(string path) => File.ReadLines(path)
        .SkipWhile(line => !line.StartsWith("| metric |", StringComparison.Ordinal))
        .TakeWhile(line => !line.StartsWith("## ", StringComparison.Ordinal)) // other tables follow
        .Where(line => line.StartsWith("| `", StringComparison.Ordinal))
        .Select(line => line.Split('|', StringSplitOptions.TrimEntries))
        .ToDictionary(cells => cells[1].Trim('`'), cells => new DocumentedMetric(cells[2], ReadLabels(cells[3]), cells[4]));

    private static Dictionary<string, IReadOnlyList<string>> ReadLabels(string cell) => cell
        .Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
        .Select(label => label.Split(':', 2, StringSplitOptions.TrimEntries))
        .ToDictionary(
            parts => parts[0].Trim('`'),
            parts => (IReadOnlyList<string>)(parts.Length == 1 ? [] : parts[1].Split(", ")));
}
