using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using RemoteExec.Core;

namespace RemoteExec.Hosting;

/// <summary>
/// One event a line: plain words for a terminal, one JSON object for everything else. What comes from outside (tool names, paths,
/// headers) may hold line breaks and terminal escapes: both shapes neutralise them, so that one event stays one line.
/// </summary>
internal sealed class LineFormatter(bool json, TimeProvider time) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "line";

    // Longer than any honest message; a hostile header must not fill the disk through the log.
    private const int TextBytesMax = 8192;

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        string message = logEntry.Formatter(logEntry.State, logEntry.Exception);
        // "RemoteExec.Storage.DiskBlobStore" says no more to an operator than "DiskBlobStore".
        string room = logEntry.Category[(logEntry.Category.LastIndexOf('.') + 1)..];
        if (json)
            WriteJson(textWriter, logEntry, room, message);
        else
            WriteText(textWriter, logEntry, room, message);
        textWriter.Write('\n');
    }

    private void WriteJson<TState>(TextWriter output, in LogEntry<TState> entry, string room, string message)
    {
        var buffer = new ArrayBufferWriter<byte>(256);
        using (var line = new Utf8JsonWriter(buffer))
        {
            line.WriteStartObject();
            line.WriteString("ts", time.GetUtcNow().ToString("yyyy-MM-ddTHH:mm:ss.fffZ", CultureInfo.InvariantCulture));
            line.WriteString("level", LogLevels.WordOf(entry.LogLevel));
            line.WriteString("source", room);
            if (entry.EventId.Name is { } name)
                line.WriteString("event", name);
            line.WriteString("msg", Cut(message));
            foreach (var (key, value) in entry.State as IReadOnlyList<KeyValuePair<string, object?>> ?? [])
            {
                if (key != "{OriginalFormat}" && value is not null)
                    line.WriteString(key, Cut(Convert.ToString(value, CultureInfo.InvariantCulture) ?? ""));
            }

            if (entry.Exception is not null)
                line.WriteString("exception", Cut(entry.Exception.ToString()));
            line.WriteEndObject();
        }

        output.Write(Encoding.UTF8.GetString(buffer.WrittenSpan));
    }

    private void WriteText<TState>(TextWriter output, in LogEntry<TState> entry, string room, string message)
    {
        output.Write($"{time.GetUtcNow().ToString("HH:mm:ss.fff", CultureInfo.InvariantCulture)} {LogLevels.WordOf(entry.LogLevel),-5} {room}: {OneLine(message)}");
        if (entry.Exception is not null)
            output.Write($" | {OneLine(entry.Exception.ToString())}");
    }

    // JSON's own escaping does the rest.
    private static string Cut(string text) => text.Length <= TextBytesMax ? text : string.Concat(text.AsSpan(0, TextBytesMax), "…");

    // A stack trace has many lines; \n reads better there than its number.
    private static string OneLine(string text) => PrintableText.Escape(text.ReplaceLineEndings("\\n"), TextBytesMax);
}
