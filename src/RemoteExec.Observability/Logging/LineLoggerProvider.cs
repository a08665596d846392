using Microsoft.Extensions.Logging;

namespace RemoteExec.Observability;

/// <summary>
/// Writes one event a line: plain words for a terminal, one JSON object for everything else.
/// Loggers are cheap views on one writer; lines never interleave.
/// </summary>
public sealed class LineLoggerProvider(TextWriter output, bool json, LogLevel levelMin, TimeProvider time) : ILoggerProvider
{
    private readonly Lock _lock = new();

    public ILogger CreateLogger(string categoryName) => new LineLogger(this, ShortName(categoryName));

    public void Dispose() => output.Flush();

    internal bool IsEnabled(LogLevel level) => level >= levelMin && level != LogLevel.None;

    internal void Write<TState>(string category, LogLevel level, EventId id, TState state, Exception? exception,
        Func<TState, Exception?, string> formatter)
    {
        var fields = state as IReadOnlyList<KeyValuePair<string, object?>>;
        var entry = new LogEntry(time.GetUtcNow(), level, category, id.Name, formatter(state, exception), fields, exception);
        string line = json ? LogLine.ToJson(entry) : LogLine.ToText(entry);
        lock (_lock)
        {
            output.WriteLine(line);
            output.Flush();
        }
    }

    // "RemoteExec.Storage.DiskBlobStore" says no more to an operator than "DiskBlobStore".
    private static string ShortName(string category)
    {
        int dot = category.LastIndexOf('.');
        return dot < 0 ? category : category[(dot + 1)..];
    }

    private sealed class LineLogger(LineLoggerProvider provider, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => provider.IsEnabled(logLevel);

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
                provider.Write(category, logLevel, eventId, state, exception, formatter);
        }
    }
}
