using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>A table of options as text: its help, and the values of a run.</summary>
internal static class OptionsText
{
    private const int UsageColumns = 28;
    private const int HelpColumns = 100 - UsageColumns - 4;
    private const int PlaceBytesMax = 8192; // a path and some words

    // A file for people: < and + may stand as they are; control characters are escaped all the same.
    private static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What <c>--help</c> shows.</summary>
    public static string Help(string program, string summary, IReadOnlyList<OptionDeclaration> declarations)
    {
        var text = new StringBuilder();
        text.AppendLine(summary).AppendLine();
        text.AppendLine($"Usage: {program} [--OPTION VALUE]...").AppendLine();
        foreach (var option in declarations.Where(option => !option.IsHidden))
        {
            string byDefault = string.IsNullOrEmpty(option.Default) ? "" : $" [{option.Default}]";
            string usage = Usage(option);
            // What is longer than its column has a line of its own: one long option must not push all others to the right.
            text.Append($"  {usage.PadRight(UsageColumns)}");
            if (usage.Length > UsageColumns) text.AppendLine().Append(' ', UsageColumns + 2);
            text.Append("  ").AppendJoin("\n" + new string(' ', UsageColumns + 4), Wrapped(option.Help + byDefault)).AppendLine();
        }

        // The first option serves as the example: it is the one a reader has just seen.
        var example = declarations[0];
        text.AppendLine().AppendLine(
            $"""
            Each option is also a key of the --config file ("{example.Name}", or in PascalCase) and an environment
            variable ({example.EnvironmentName}). Later wins: file, environment, command line.
            Sizes are written 10GB (thousands) or 10GiB (1024s); durations 100ms, 30s, 5m, 2h, 1d.
            """);
        return text.ToString();
    }

    /// <summary>The options as a part of a page.</summary>
    public static string Page(string program, string summary, IReadOnlyList<OptionDeclaration> declarations)
    {
        var text = new StringBuilder($"## {program}\n\n{summary}\n\n| option | default | meaning |\n| --- | --- | --- |\n");
        foreach (var option in declarations.Where(option => !option.IsHidden))
        {
            string byDefault = option.DefaultWords ?? (string.IsNullOrEmpty(option.Default) ? "" : $"`{option.Default}`");
            text.Append($"| `{Usage(option).Replace("|", "\\|", StringComparison.Ordinal)}` | {byDefault} | {option.Help} |\n");
        }

        return text.ToString();
    }

    /// <summary>What <c>--print-config</c> shows: a file for <c>--config</c> that gives the same values, each with where it came from.</summary>
    public static string Values(OptionReader options)
    {
        var text = new StringBuilder().AppendLine("{");
        foreach (var option in options.Declarations.Where(option => !option.IsHidden))
        {
            var setting = options.SettingOf(option);
            string?[] values = [.. OptionReader.Split(option, setting?.Values ?? (option.Default is { } byDefault ? [byDefault] : []))];
            string place = PrintableText.Escape(setting?.Place ?? "default", PlaceBytesMax);
            text.AppendLine(values.Length > 0 || option.Repeats
                ? $"  \"{option.Name}\": {Json(option, values)}, // {place}"
                : $"  // \"{option.Name}\": {(option.IsFlag ? "false" : "not set")}, // {place}");
        }

        return text.AppendLine("}").ToString();
    }

    // Whole words in what a terminal of 100 columns leaves beside the options.
    private static IEnumerable<string> Wrapped(string text)
    {
        var line = new StringBuilder();
        foreach (string word in text.Split(' '))
        {
            if (line.Length > 0 && line.Length + 1 + word.Length > HelpColumns)
            {
                yield return line.ToString();
                line.Clear();
            }

            line.Append(line.Length > 0 ? " " : "").Append(word);
        }

        yield return line.ToString();
    }

    private static string Json(OptionDeclaration option, string?[] values) => option.Repeats
        ? JsonSerializer.Serialize(values is [""] ? [] : values, Plain)
        : JsonSerializer.Serialize(values[0], Plain);

    private static string Usage(OptionDeclaration option) => option.IsFlag
        ? option.Flag
        : $"{option.Flag} {option.Placeholder}{(option.Repeats ? "..." : "")}";
}
