using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>
/// The two shapes of a log line. What comes from outside (tool names, paths, headers) may hold line breaks
/// and terminal escapes: both shapes neutralise them, so that one event stays one line.
/// </summary>
internal static class LogLine
{
    // Longer than any honest message; a hostile header must not fill the disk through the log.
    private const int MessageCharactersMax = 8192;

    public static string ToJson(in LogEvent entry)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteString("ts", entry.Time.ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
            json.WriteString("level", Name(entry.Level));
            json.WriteString("room", entry.Category);
            if (entry.Event is not null)
                json.WriteString("event", entry.Event);
            json.WriteString("msg", Cut(entry.Message));
            foreach (var (key, value) in entry.Fields ?? [])
            {
                if (key != "{OriginalFormat}" && value is not null)
                    json.WriteString(key, Cut(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
            }

            if (entry.Exception is not null)
                json.WriteString("exception", Cut(entry.Exception.ToString()));
            json.WriteEndObject();
        }

        return Encoding.UTF8.GetString(buffer.GetBuffer(), 0, (int)buffer.Length);
    }

    public static string ToText(in LogEvent entry)
    {
        var line = new StringBuilder();
        line.Append(entry.Time.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture))
            .Append(' ').Append(Name(entry.Level).PadRight(5))
            .Append(' ').Append(entry.Category).Append(": ");
        AppendEscaped(line, Cut(entry.Message));
        if (entry.Exception is not null)
        {
            line.Append(" | ");
            AppendEscaped(line, Cut(entry.Exception.ToString()));
        }

        return line.ToString();
    }

    private static string Name(LogLevel level) => level switch
    {
        LogLevel.Trace => "trace",
        LogLevel.Debug => "debug",
        LogLevel.Information => "info",
        LogLevel.Warning => "warn",
        LogLevel.Error => "error",
        _ => "fatal",
    };

    private static string Cut(string text) =>
        text.Length <= MessageCharactersMax ? text : string.Concat(text.AsSpan(0, MessageCharactersMax), "…");

    private static void AppendEscaped(StringBuilder line, string text)
    {
        foreach (char c in text)
        {
            if (c == '\n')
                line.Append("\\n");
            else if (char.IsControl(c))
                line.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:x2}");
            else
                line.Append(c);
        }
    }
}
