using System.Text.Json;

namespace RemoteExec.Hosting.Tests;

/// <summary>A log in which every line is one JSON object.</summary>
internal static class JsonLines
{
    public static IReadOnlyList<JsonElement> Of(string log) =>
        [.. log.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonSerializer.Deserialize<JsonElement>(line))];
}
