using System.Runtime.InteropServices;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Observability;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>The executable's own part: options in, signals, and one plain sentence with an exit code when it cannot start.</summary>
internal static class ServerHost
{
    private const int Done = 0;
    private const int Usage = 2;
    private const int Unavailable = 5;

    public static async Task<int> RunAsync(string[] arguments)
    {
        var outcome = ServerOptions.Table.Read(arguments, Environment.GetEnvironmentVariables());
        if (outcome.HelpText is { } help)
        {
            await Console.Out.WriteAsync(help);
            return Done;
        }

        if (outcome.Options is not { } options)
        {
            foreach (string error in outcome.Errors)
                await Console.Error.WriteLineAsync($"rexec-server: {error}");
            return Usage;
        }

        using var log = new LineLoggerProvider(Console.Error, json: Console.IsErrorRedirected, options.LogLevel, TimeProvider.System);
        using var logs = LoggerFactory.Create(builder => builder.AddProvider(log).SetMinimumLevel(options.LogLevel));
        using var stopping = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        try
        {
            await using var server = await ServerComposition.StartAsync(options, TimeProvider.System, log, logs, stopping.Token);
            // Not on standard error: that is the log, where every line is one event.
            await Console.Out.WriteLineAsync(server.Welcome);
            await server.RunAsync(stopping.Token);
            return Done;
        }
        catch (Exception refused) when (Explain(refused, options) is { } sentence)
        {
            await Console.Error.WriteLineAsync($"rexec-server: {sentence}");
            return Unavailable;
        }
        catch (OperationCanceledException) when (stopping.IsCancellationRequested)
        {
            return Done; // told to stop while it was still starting
        }

        void Stop(PosixSignalContext signal)
        {
            // The second signal is impatience: let the system end the process, nothing acknowledged is lost by it.
            if (stopping.IsCancellationRequested) return;
            signal.Cancel = true;
            stopping.Cancel();
        }
    }

    /// <summary>The failures that an operator can mend; anything else is a bug and may show its trace.</summary>
    private static string? Explain(Exception failure, ServerOptions options) => failure switch
    {
        StorageDirectoryException or JournalException or WorkerRefusedException or ServerRefusedException => failure.Message,
        // What a room refused while it opened, or a worker that its coordinator will not take: made for being read.
        RpcException { Status.Detail: var detail } => detail,
        IOException or UnauthorizedAccessException => $"{failure.Message}; check --data-dir {options.DataDirectory}",
        _ => null,
    };
}
