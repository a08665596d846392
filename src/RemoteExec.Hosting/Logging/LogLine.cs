using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>
/// The two shapes of a log line. What comes from outside (tool names, paths, headers) may hold line breaks
/// and terminal escapes: both shapes neutralise them, so that one event stays one line.
/// </summary>
internal static class LogLine
{
    // Longer than any honest message; a hostile header must not fill the disk through the log.
    private const int TextBytesMax = 8192;

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
        string line = $"{entry.Time.ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)} {Name(entry.Level),-5} {entry.Category}: {OneLine(entry.Message)}";
        return entry.Exception is null ? line : $"{line} | {OneLine(entry.Exception.ToString())}";
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

    // JSON's own escaping does the rest.
    private static string Cut(string text) => text.Length <= TextBytesMax ? text : string.Concat(text.AsSpan(0, TextBytesMax), "…");

    // A stack trace has many lines; \n reads better there than its number.
    private static string OneLine(string text) => PrintableText.Escape(text.ReplaceLineEndings("\\n"), TextBytesMax);
}
