using Microsoft.Extensions.Logging;

namespace RemoteExec.Hosting;

/// <summary>One event on its way to a line.</summary>
internal readonly record struct LogEvent(
    DateTimeOffset Time,
    LogLevel Level,
    string Category,
    string? Event,
    string Message,
    IReadOnlyList<KeyValuePair<string, object?>>? Fields,
    Exception? Exception);
