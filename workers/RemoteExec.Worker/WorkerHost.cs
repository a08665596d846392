using Grpc.Core;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RemoteExec.Hosting;
using RemoteExec.Storage;

namespace RemoteExec.Worker;

/// <summary>The executable's own part: what its host is made of, and one plain sentence when it cannot work.</summary>
internal sealed class WorkerHost : IProgram<WorkerFlags>
{
    public OptionTable<WorkerFlags> Table => WorkerFlags.Table;

    public LogLevel LogLevelOf(WorkerFlags flags) => flags.LogLevel;

    public TimeSpan DrainMaxOf(WorkerFlags flags) => flags.DrainMax;

    public async Task<IHost> ComposeAsync(WorkerFlags flags, ProgramRun run, CancellationToken cancellationToken)
    {
        var worker = await RunningWorker.CreateAsync(flags, run.Time, run.Logs, cancellationToken);
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        run.AddTo(builder, worker);
        return builder.Build();
    }

    public Refusal? Explain(Exception failure, WorkerFlags flags) => failure switch
    {
        RpcException { StatusCode: StatusCode.InvalidArgument or StatusCode.Unimplemented } refused =>
            new(ExitCode.Refused, $"the coordinator does not take this worker: {refused.Status.Detail}"),
        RpcException rpc => Unavailable($"{rpc.Status.Detail} ({rpc.StatusCode})"),
        WorkerRefusedException or StorageDirectoryException => Unavailable(failure.Message),
        IOException or UnauthorizedAccessException => Unavailable($"{failure.Message}; check --data-dir {flags.DataDirectory}"),
        _ => null,
    };

    private static Refusal Unavailable(string sentence) => new(ExitCode.Unavailable, sentence);
}
