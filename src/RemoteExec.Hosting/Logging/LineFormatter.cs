using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;

namespace RemoteExec.Hosting;

/// <summary>One event a line: plain words for a terminal, one JSON object for everything else.</summary>
internal sealed class LineFormatter(bool json, TimeProvider time) : ConsoleFormatter(FormatName)
{
    public const string FormatName = "line";

    public override void Write<TState>(in LogEntry<TState> logEntry, IExternalScopeProvider? scopeProvider, TextWriter textWriter)
    {
        var fields = logEntry.State as IReadOnlyList<KeyValuePair<string, object?>>;
        var told = new LogEvent(
            time.GetUtcNow(), logEntry.LogLevel, ShortName(logEntry.Category), logEntry.EventId.Name,
            logEntry.Formatter(logEntry.State, logEntry.Exception), fields, logEntry.Exception);
        textWriter.Write(json ? LogLine.ToJson(told) : LogLine.ToText(told));
        textWriter.Write('\n');
    }

    // "RemoteExec.Storage.DiskBlobStore" says no more to an operator than "DiskBlobStore".
    private static string ShortName(string category)
    {
        int dot = category.LastIndexOf('.');
        return dot < 0 ? category : category[(dot + 1)..];
    }
}
