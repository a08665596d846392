using System.Runtime.InteropServices;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;
using RemoteExec.Observability;
using RemoteExec.Protocol.V1;
using RemoteExec.Rpc;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>
/// The executable's own part: options in, signals, and one plain sentence with an exit code when it cannot work.
/// </summary>
internal static class WorkerHost
{
    private const int Done = 0;
    private const int Usage = 2;
    private const int Refused = 4;
    private const int Unavailable = 5;

    public static async Task<int> RunAsync(string[] arguments)
    {
        var outcome = WorkerFlags.Table.Read(arguments, Environment.GetEnvironmentVariables());
        if (outcome.HelpText is { } help)
        {
            await Console.Out.WriteAsync(help);
            return Done;
        }
        if (outcome.Options is not { } flags)
        {
            foreach (string error in outcome.Errors)
                await Console.Error.WriteLineAsync($"rexec-worker: {error}");
            return Usage;
        }

        using var draining = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Drain);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Drain);
        try
        {
            await WorkAsync(flags, draining.Token);
            return Done;
        }
        catch (OperationCanceledException) when (draining.IsCancellationRequested)
        {
            return Done; // told to stop while it was still starting
        }
        catch (RpcException refused) when (refused.StatusCode is StatusCode.InvalidArgument or StatusCode.Unimplemented)
        {
            await Console.Error.WriteLineAsync($"rexec-worker: the coordinator does not take this worker: {refused.Status.Detail}");
            return Refused;
        }
        catch (Exception failure) when (Explain(failure, flags) is { } sentence)
        {
            await Console.Error.WriteLineAsync($"rexec-worker: {sentence}");
            return Unavailable;
        }

        void Drain(PosixSignalContext signal)
        {
            // The second signal is impatience: the system ends the process, and the coordinator gives its leases to others.
            if (draining.IsCancellationRequested) return;
            signal.Cancel = true;
            draining.Cancel();
        }
    }

    private static async Task WorkAsync(WorkerFlags flags, CancellationToken drain)
    {
        var options = flags.ToOptions();
        var time = TimeProvider.System;
        using var provider = new LineLoggerProvider(Console.Error, json: Console.IsErrorRedirected, LogLevel.Information, time);
        using var logs = LoggerFactory.Create(builder => builder.AddProvider(provider));

        Directory.CreateDirectory(options.DataDirectory);
        await using var local = await DiskBlobStore.OpenAsync(
            new DiskBlobStoreOptions
            {
                Directory = Path.Combine(options.DataDirectory, "cas"),
                LimitBytes = flags.CacheSizeBytes,
                // A cache promises nothing to clients: a blob is kept while it is used, and may go after that.
                Retention = TimeSpan.FromMinutes(10),
            },
            time, drain);
        using var blobChannel = new RpcChannel(AddressOf(flags.Coordinators[0]));
        // The loop has a backoff of its own, which asks the next coordinator instead of the same one again.
        var channels = flags.Coordinators
            .Select(coordinator => new RpcChannel(AddressOf(coordinator), new RpcChannelOptions { Retry = RetryPolicy.None })).ToList();
        try
        {
            // Blobs are shared by all instances of a coordinator, so one name serves for all leases.
            var remote = new RemoteBlobStore(blobChannel, InstanceName.Empty, new RemoteBlobStoreOptions());
            var connector = new RpcWorkerConnector([.. channels.Select(channel => new WorkerPool.WorkerPoolClient(channel.CreateCallInvoker()))]);
            await using var worker = await LocalWorker.CreateAsync(options, local, remote, connector, time, logs, drain);
            await Console.Error.WriteLineAsync(WorkerWelcome.Text(options, flags.Coordinators, worker.Walls));
            await worker.RunAsync(drain);
        }
        finally
        {
            channels.ForEach(channel => channel.Dispose());
        }
    }

    private static Uri AddressOf(HostPort coordinator) => new($"http://{coordinator}");

    /// <summary>The failures that an operator can mend; anything else is a bug and may show its trace.</summary>
    private static string? Explain(Exception failure, WorkerFlags flags) => failure switch
    {
        WorkerRefusedException or StorageDirectoryException => failure.Message,
        IOException or UnauthorizedAccessException => $"{failure.Message}; check --data-dir {flags.DataDirectory}",
        RpcException rpc => $"{rpc.Status.Detail} ({rpc.StatusCode})",
        _ => null,
    };
}
