using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol;
using RemoteExec.Protocol.V1;
using System.Threading.Channels;

namespace RemoteExec.Worker.Tests;

/// <summary>Hands a worker one in-memory stream after another, and plays the coordinator on each; takes its reports beside them.</summary>
internal sealed class ScriptedCoordinator : IWorkerConnector, IReportDesk
{
    private readonly Channel<InMemoryCoordinatorStream> _streams = Channel.CreateUnbounded<InMemoryCoordinatorStream>();
    private readonly Channel<ScriptedReport> _reports = Channel.CreateUnbounded<ScriptedReport>();

    /// <summary>Told in each welcome.</summary>
    public Limits Limits { get; set; } = Limits.Default;

    /// <summary>The worker has connected once more than anybody has asked for.</summary>
    public bool HasNextStream => _streams.Reader.Count > 0;

    public ValueTask<IWorkerConnection> ConnectAsync(CancellationToken cancellationToken)
    {
        var (worker, coordinator) = InMemoryWorkerConnection.CreatePair(this);
        _streams.Writer.TryWrite(coordinator);
        return ValueTask.FromResult<IWorkerConnection>(worker);
    }

    public async ValueTask<ReportResponse> ReportAsync(ReportRequest report, CancellationToken cancellationToken)
    {
        var scripted = new ScriptedReport(report);
        _reports.Writer.TryWrite(scripted);
        return await scripted.Response.WaitAsync(cancellationToken);
    }

    public ValueTask ShowAsync(LeaseOutput piece, CancellationToken cancellationToken) => ValueTask.CompletedTask;

    /// <summary>The worker's next connection, welcomed; answers its hello.</summary>
    public async Task<(InMemoryCoordinatorStream Stream, Hello Hello)> WelcomeAsync()
    {
        var stream = await NextStreamAsync();
        Assert.That(await stream.MoveNext(CancellationToken.None));
        var hello = stream.Current.Hello;
        Assert.That(hello, Is.Not.Null, "hello comes first");
        var welcome = new Welcome
        {
            HeartbeatInterval = Duration.FromTimeSpan(TimeSpan.FromHours(1)),
            CoordinatorVersion = "test",
            Limits = Limits.ToWire(),
        };
        await stream.WriteAsync(new CoordinatorMessage { Welcome = welcome });
        return (stream, hello);
    }

    public async Task<InMemoryCoordinatorStream> NextStreamAsync() => await _streams.Reader.ReadAsync();

    /// <summary>The next report, of whatever lease; it has no answer yet.</summary>
    public async Task<ScriptedReport> NextReportAsync() => await _reports.Reader.ReadAsync();

    /// <summary>The next report, answered.</summary>
    public async Task<ReportRequest> TakeReportAsync()
    {
        var report = await NextReportAsync();
        report.Answer();
        return report.Request;
    }
}

/// <summary>One call of Report.</summary>
internal sealed class ScriptedReport(ReportRequest request)
{
    private readonly TaskCompletionSource<ReportResponse> _response = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public ReportRequest Request { get; } = request;

    public Task<ReportResponse> Response => _response.Task;

    public void Answer() => _response.SetResult(new ReportResponse());

    public void Fail(Exception failure) => _response.SetException(failure);
}

internal static class CoordinatorStreamExtensions
{
    public static LeaseId Id(string execution, int attempt = 1) => new() { ExecutionId = execution, Attempt = attempt };

    public static Task LeaseAsync(this InMemoryCoordinatorStream stream, LeaseId id) =>
        stream.WriteAsync(new CoordinatorMessage { Lease = new Lease { Lease_ = id } });

    public static Task CancelAsync(this InMemoryCoordinatorStream stream, LeaseId id) =>
        stream.WriteAsync(new CoordinatorMessage { CancelLease = new CancelLease { Lease = id } });

    public static Task RecallAsync(this InMemoryCoordinatorStream stream, LeaseId id) =>
        stream.WriteAsync(new CoordinatorMessage { RecallLease = new RecallLease { Lease = id } });

    public static async Task<WorkerMessage> NextAsync(this InMemoryCoordinatorStream stream)
    {
        Assert.That(await stream.MoveNext(CancellationToken.None), "the worker has left");
        return stream.Current;
    }

    public static RpcException Failure(StatusCode code = StatusCode.Unavailable) => new(new Status(code, "connection reset"));
}
