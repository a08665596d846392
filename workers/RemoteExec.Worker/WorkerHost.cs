using System.Net;
using System.Net.Sockets;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using RemoteExec.Core;
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
        if (flags.Http is not { } http)
        {
            var worker = await RunningWorker.CreateAsync(flags, metrics: null, run.Time, run.Logs, cancellationToken);
            var plain = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
            run.AddTo(plain, worker);
            return plain.Build();
        }

        var metrics = new WorkerMetrics();
        var address = await ResolveAsync(http, cancellationToken);
        var watched = await RunningWorker.CreateAsync(flags, metrics, run.Time, run.Logs, cancellationToken);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        run.AddTo(builder, watched);
        WorkerPort.AddTo(builder, address);
        var application = builder.Build();
        WorkerPort.UseOn(application, metrics);
        return application;
    }

    public Refusal? Explain(Exception failure, WorkerFlags flags) => failure switch
    {
        RpcException { StatusCode: StatusCode.InvalidArgument or StatusCode.Unimplemented } refused =>
            new(ExitCode.Refused, $"the coordinator does not take this worker: {refused.Status.Detail}"),
        RpcException rpc => Unavailable($"{rpc.Status.Detail} ({rpc.StatusCode})"),
        WorkerRefusedException or StorageDirectoryException => Unavailable(failure.Message),
        IOException { InnerException: AddressInUseException } => Unavailable($"{flags.Http} is in use by another program; stop it, or choose another address with --http HOST:PORT"),
        SocketException when flags.Http is not null => Unavailable($"cannot listen on {flags.Http}: {failure.Message}; choose another address with --http HOST:PORT"),
        IOException or UnauthorizedAccessException => Unavailable($"{failure.Message}; check --data-dir {flags.DataDirectory}"),
        _ => null,
    };

    private static async ValueTask<IPEndPoint> ResolveAsync(HostPort address, CancellationToken cancellationToken) => new(
        IPAddress.TryParse(address.Host, out var literal) ? literal : (await Dns.GetHostAddressesAsync(address.Host, cancellationToken))[0], address.Port);

    private static Refusal Unavailable(string sentence) => new(ExitCode.Unavailable, sentence);
}
