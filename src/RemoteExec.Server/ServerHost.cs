using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RemoteExec.Hosting;
using RemoteExec.Scheduling;
using RemoteExec.Storage;
using RemoteExec.Worker;

namespace RemoteExec.Server;

/// <summary>The executable's own part: what its host is made of, and one plain sentence when it cannot go on.</summary>
internal sealed class ServerHost : IProgram<ServerOptions>
{
    public OptionTable<ServerOptions> Table => ServerOptions.Table;

    public LogLevel LogLevelOf(ServerOptions options) => options.LogLevel;

    public TimeSpan DrainMaxOf(ServerOptions options) => options.DrainMax;

    /// <summary>Clients that hang on a stream are told to come back, whoever has no time.</summary>
    public bool HurriesWith(ServerOptions options) => true;

    public async Task<IHost> ComposeAsync(ServerOptions options, ProgramRun run, CancellationToken cancellationToken) =>
        await ServerComposition.ComposeAsync(options, InheritedSockets.Take(Environment.GetEnvironmentVariables()), run, cancellationToken);

    public Refusal? Explain(Exception failure, ServerOptions options) => failure switch
    {
        StorageDirectoryException or JournalException or WorkerRefusedException or ServerRefusedException => Unavailable(failure.Message),
        // What a room refused while it opened, or a worker that its coordinator will not take: made for being read.
        RpcException { Status.Detail: var detail } => Unavailable(detail),
        IOException or UnauthorizedAccessException => Unavailable($"{failure.Message}; check --data-dir {options.DataDirectory}"),
        _ => null,
    };

    private static Refusal Unavailable(string sentence) => new(ExitCode.Unavailable, sentence);
}
