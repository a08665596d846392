using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Services.Tests;

/// <summary>A worker that says what a test tells it to.</summary>
internal sealed class ScriptedWorker(WorkerPool.WorkerPoolClient pool, CancellationToken soon) : IDisposable
{
    private readonly AsyncDuplexStreamingCall<WorkerMessage, CoordinatorMessage> _join = pool.Join(cancellationToken: soon);

    public string Id { get; private set; } = "";

    public Task<Welcome> GreetAsync(string id, params string[] properties) => GreetAsync(id, hello => hello.Properties.AddRange(properties
        .Select(property => property.Split('='))
        .Select(pair => new Build.Bazel.Remote.Execution.V2.Platform.Types.Property { Name = pair[0], Value = pair[1] })));

    public async Task<Welcome> GreetAsync(string id, Action<Hello> change)
    {
        Id = id;
        var hello = new Hello { WorkerId = id, Slots = 2, Version = "test" };
        change(hello);
        await SendAsync(new WorkerMessage { Hello = hello });
        var message = await ReceiveAsync();
        Assert.That(message.MessageCase, Is.EqualTo(CoordinatorMessage.MessageOneofCase.Welcome));
        return message.Welcome;
    }

    public Task SendAsync(WorkerMessage message) => _join.RequestStream.WriteAsync(message, soon);

    /// <summary>The next message; it is the test's failure when there is none.</summary>
    public async Task<CoordinatorMessage> ReceiveAsync()
    {
        Assert.That(await _join.ResponseStream.MoveNext(soon), "the coordinator ended the stream");
        return _join.ResponseStream.Current;
    }

    public async Task<Lease> ReceiveLeaseAsync()
    {
        var message = await ReceiveAsync();
        Assert.That(message.MessageCase, Is.EqualTo(CoordinatorMessage.MessageOneofCase.Lease));
        return message.Lease;
    }

    public async Task ReceiveEndAsync() => Assert.That(await _join.ResponseStream.MoveNext(soon), Is.False);

    public Task StartAsync(Lease lease) => SendAsync(new WorkerMessage { LeaseStarted = new LeaseStarted { Lease = lease.Lease_ } });

    /// <summary>Reports success with this result.</summary>
    public Task<ReportResponse> FinishAsync(Lease lease, ActionResult result) => ReportAsync(lease, report => report.InlineResult = result);

    /// <summary>Reports a failure that is its own.</summary>
    public Task<ReportResponse> FailAsync(Lease lease, StatusCode code, string message) =>
        FinishAsync(lease, new RpcStatus { Code = (int)code, Message = message }, Blame.Worker);

    public Task<ReportResponse> FinishAsync(Lease lease, RpcStatus status, Blame blame, ActionResult? result = null) => ReportAsync(lease, report =>
    {
        report.Status = status;
        report.Blame = blame;
        if (result is not null) report.InlineResult = result;
    });

    public async Task<ReportResponse> ReportAsync(Lease lease, Action<ReportRequest> change)
    {
        var report = new ReportRequest { WorkerId = Id, Lease = lease.Lease_, Status = new RpcStatus() };
        change(report);
        return await pool.ReportAsync(report, cancellationToken: soon);
    }

    /// <summary>Shows a piece of output; returns when it has arrived.</summary>
    public async Task ShowAsync(LeaseOutput piece)
    {
        using var call = pool.LiveOutput(cancellationToken: soon);
        piece.WorkerId = Id;
        await call.RequestStream.WriteAsync(piece, soon);
        await call.RequestStream.CompleteAsync();
        await call;
    }

    /// <summary>All nine timestamps, a second apart.</summary>
    public static ExecutedActionMetadata Times(DateTimeOffset start)
    {
        Timestamp At(int second) => Timestamp.FromDateTimeOffset(start.AddSeconds(second));
        return new ExecutedActionMetadata
        {
            Worker = "w1",
            QueuedTimestamp = At(0),
            WorkerStartTimestamp = At(1),
            InputFetchStartTimestamp = At(2),
            InputFetchCompletedTimestamp = At(3),
            ExecutionStartTimestamp = At(4),
            ExecutionCompletedTimestamp = At(5),
            OutputUploadStartTimestamp = At(6),
            OutputUploadCompletedTimestamp = At(7),
            WorkerCompletedTimestamp = At(8),
        };
    }

    public void Dispose() => _join.Dispose();
}
