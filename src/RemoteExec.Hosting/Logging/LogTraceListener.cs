using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>
/// Takes what is told through the runtime's own channel (<see cref="Trace"/>) into the log: a room that has no log, and a
/// failure that could not be told to whom it concerns, still reach the operator.
/// </summary>
internal sealed class LogTraceListener(ILogger log) : TraceListener
{
    private static readonly EventId Told = new(0, "trace");

    public override void TraceEvent(TraceEventCache? eventCache, string source, TraceEventType eventType, int id, string? message)
    {
        var level = eventType switch
        {
            TraceEventType.Critical or TraceEventType.Error => LogLevel.Error,
            TraceEventType.Warning => LogLevel.Warning,
            _ => LogLevel.Debug,
        };
        Tell(level, message);
    }

    public override void TraceEvent(TraceEventCache? eventCache, string source, TraceEventType eventType, int id, string? format, params object?[]? args) =>
        TraceEvent(eventCache, source, eventType, id, string.Format(CultureInfo.InvariantCulture, format ?? "", args ?? []));

    public override void Write(string? message) => Tell(LogLevel.Debug, message);

    public override void WriteLine(string? message) => Tell(LogLevel.Debug, message);

    private void Tell(LogLevel level, string? text) => log.Log(level, Told, text ?? "", exception: null, static (state, _) => state);
}
