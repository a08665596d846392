using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>The words for how important a log line is: those that the log writes, which are also those that its option takes.</summary>
internal static class LogLevels
{
    private static readonly (LogLevel Level, string Word)[] All =
    [
        (LogLevel.Trace, "trace"), (LogLevel.Debug, "debug"), (LogLevel.Information, "info"), (LogLevel.Warning, "warn"),
        (LogLevel.Error, "error"), (LogLevel.Critical, "fatal"), (LogLevel.None, "none"),
    ];

    public static IEnumerable<string> Words => All.Select(each => each.Word);

    public static string WordOf(LogLevel level) => All.Single(each => each.Level == level).Word;

    /// <summary>.NET's names (information, warning, critical) are taken too.</summary>
    public static bool TryParse(string text, out LogLevel level)
    {
        foreach (var (candidate, word) in All)
        {
            level = candidate;
            if (Is(text, word) || Is(text, candidate.ToString())) return true;
        }

        level = default;
        return false;
    }

    private static bool Is(string text, string word) => string.Equals(text, word, StringComparison.OrdinalIgnoreCase);
}
