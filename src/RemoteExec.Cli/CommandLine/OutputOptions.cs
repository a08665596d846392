using System.CommandLine;
using RemoteExec.Client;
using RemoteExec.Core;

namespace RemoteExec.Cli;

/// <summary>How every verb answers: <c>--format</c>, and <c>--json</c> for short.</summary>
internal sealed class OutputOptions
{
    private static readonly Dictionary<string, OutputFormat> Names = new(StringComparer.Ordinal)
    {
        ["text"] = OutputFormat.Text,
        ["json"] = OutputFormat.Json,
        ["jsonl"] = OutputFormat.JsonLines,
        ["csv"] = OutputFormat.Csv,
    };

    public Option<string?> Format { get; } = new("--format")
    {
        Description = "how the answer is written: text, json, jsonl or csv",
        HelpName = "FORMAT",
        Recursive = true,
    };

    public Option<bool> Json { get; } = new("--json") { Description = "short for --format json", Recursive = true };

    public OutputFormat Of(ParseResult parsed)
    {
        bool isJson = parsed.GetValue(Json);
        if (parsed.GetValue(Format) is not { } name) return isJson ? OutputFormat.Json : OutputFormat.Text;
        if (!Names.TryGetValue(name, out var format))
            throw new ClientException($"--format {name} is not one of text, json, jsonl, csv.{NearestName.Suggestion(name, Names.Keys)}");
        return !isJson || format == OutputFormat.Json ? format : throw new ClientException($"--json and --format {name} contradict each other; leave one out");
    }
}
