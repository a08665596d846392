using System.Collections.Concurrent;
using System.Threading.Channels;
using Microsoft.Extensions.Logging;

namespace RemoteExec.Rpc.Tests;

/// <summary>Keeps what the server logs, for tests to look at.</summary>
internal sealed class CollectedLog : ILoggerFactory
{
    private readonly ConcurrentQueue<(LogLevel Level, string Category, Exception? Exception, string? Event, string Message)> _entries = new();
    private readonly Channel<Exception?> _rpcErrors = Channel.CreateUnbounded<Exception?>();

    private readonly Channel<string> _warnings = Channel.CreateUnbounded<string>();

    /// <summary>Warnings of ours, in the order in which they came.</summary>
    public ChannelReader<string> Warnings => _warnings.Reader;

    /// <summary>What an operator would read: ours above debug, the web server's above news, and nothing of the package's, which is off.</summary>
    public IEnumerable<string> Told => _entries
        .Where(entry => !entry.Category.StartsWith("Grpc", StringComparison.Ordinal)
            && (entry.Category.StartsWith("RemoteExec", StringComparison.Ordinal) || entry.Level >= LogLevel.Warning))
        .Select(entry => $"{entry.Level} {entry.Category} {entry.Exception}");

    /// <summary>The lines of an event.</summary>
    public IReadOnlyList<string> Lines(string name) => [.. _entries.Where(entry => entry.Event == name).Select(entry => entry.Message)];

    public IEnumerable<Exception?> RpcErrors =>
        _entries.Where(entry => entry is { Level: LogLevel.Error, Category: "RemoteExec.Rpc" }).Select(entry => entry.Exception);

    /// <summary>The next of them that was not looked at yet: a client may know how its call has ended before the log does.</summary>
    public Task<Exception?> NextRpcErrorAsync() => _rpcErrors.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(60));

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException("this log goes nowhere else");

    public void Dispose() { }

    private sealed class Logger(CollectedLog log, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            string message = formatter(state, exception);
            log._entries.Enqueue((logLevel, category, exception, eventId.Name, message));
            if (logLevel == LogLevel.Warning && category == "RemoteExec.Rpc") log._warnings.Writer.TryWrite(message);
            if (logLevel == LogLevel.Error && category == "RemoteExec.Rpc") log._rpcErrors.Writer.TryWrite(exception);
        }
    }
}
