using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace RemoteExec.Hosting;

/// <summary>The log of a program: standard error, one event a line, written by a thread of its own.</summary>
internal static class ProgramLog
{
    // Some seconds of a busy server. Whoever reads standard error may stop reading it (a full pipe, a stopped terminal), and
    // what logs may be the journal's thread: beyond this, lines are dropped and counted, and the count is written when there is room again.
    private const int WaitingLinesMax = 8192;

    public static ILoggerProvider CreateProvider(bool json, TimeProvider time) => new ConsoleLoggerProvider(
        new Fixed(new ConsoleLoggerOptions
        {
            FormatterName = LineFormatter.FormatName,
            LogToStandardErrorThreshold = LogLevel.Trace,
            QueueFullMode = ConsoleLoggerQueueFullMode.DropWrite,
            MaxQueueLength = WaitingLinesMax,
        }),
        [new LineFormatter(json, time)]);

    public static ILoggerFactory CreateFactory(ILoggerProvider provider, LogLevel levelMin) => LoggerFactory.Create(logging => logging
        .AddProvider(provider)
        .SetMinimumLevel(levelMin)
        // The framework tells of every request and every step of the host; an operator wants what it cannot handle.
        .AddFilter("Microsoft", levelMin > LogLevel.Warning ? levelMin : LogLevel.Warning)
        // gRPC takes a client that leaves for an error, and a refusal for news: who serves calls tells of them himself.
        .AddFilter("Grpc", LogLevel.None)
        // A start that fails travels as an exception and ends in one sentence; logged as well, it would be read twice.
        .AddFilter("Microsoft.Extensions.Hosting", LogLevel.None));

    /// <summary>Options that nobody changes while the program runs.</summary>
    private sealed class Fixed(ConsoleLoggerOptions options) : IOptionsMonitor<ConsoleLoggerOptions>
    {
        public ConsoleLoggerOptions CurrentValue => options;

        public ConsoleLoggerOptions Get(string? name) => options;

        public IDisposable? OnChange(Action<ConsoleLoggerOptions, string?> listener) => null;
    }
}
