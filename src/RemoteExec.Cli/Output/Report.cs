using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace RemoteExec.Cli;

/// <summary>
/// Answers for programs. Names and meanings of members stay as the page of this assembly lists them; new ones may be added at the end.
/// Every row of a list has the same members.
/// </summary>
internal static class Report
{
    // Control characters are escaped all the same: nothing in JSON can reach a terminal as a code.
    private static readonly JsonWriterOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
    private static readonly JsonWriterOptions Indented = Plain with { Indented = true };

    /// <summary>One thing.</summary>
    public static string Of(OutputFormat format, JsonObject one) => format switch
    {
        OutputFormat.Csv => Csv([.. one.Select(member => member.Key)], [one]),
        OutputFormat.JsonLines => Json(one, Plain),
        _ => Json(one, Indented),
    };

    /// <summary>Things of one kind.</summary>
    /// <param name="names">The members of each, for a list without any.</param>
    public static string Of(OutputFormat format, IReadOnlyList<string> names, IReadOnlyList<JsonObject> rows) => format switch
    {
        OutputFormat.Csv => Csv(names, rows),
        OutputFormat.JsonLines => string.Concat(rows.Select(row => Json(row, Plain))),
        _ => Json(new JsonArray([.. rows]), Indented),
    };

    private static string Json(JsonNode node, JsonWriterOptions options)
    {
        using var bytes = new MemoryStream();
        using (var writer = new Utf8JsonWriter(bytes, options))
            node.WriteTo(writer);
        return Encoding.UTF8.GetString(bytes.GetBuffer().AsSpan(0, (int)bytes.Length)) + "\n";
    }

    private static string Csv(IReadOnlyList<string> names, IReadOnlyList<JsonObject> rows)
    {
        var text = new StringBuilder();
        Add(text, names);
        foreach (var row in rows)
            Add(text, names.Select(name => Cell(row[name])));
        return text.ToString();
    }

    private static void Add(StringBuilder text, IEnumerable<string> cells) =>
        text.AppendJoin(',', cells.Select(Quote)).Append("\r\n");

    private static string Cell(JsonNode? value) => value switch
    {
        null => "",
        JsonValue text when text.TryGetValue(out string? plain) => plain,
        _ => Json(value, Plain).TrimEnd('\n'),
    };

    private static string Quote(string cell) => cell.AsSpan().ContainsAny(",\"\r\n")
        ? $"\"{cell.Replace("\"", "\"\"", StringComparison.Ordinal)}\""
        : cell;
}
