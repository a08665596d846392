using Build.Bazel.Remote.Execution.V2;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using NUnit.Framework;
using RemoteExec.Protocol.V1;

namespace RemoteExec.Services.Tests;

/// <summary>A worker that says what a test tells it to.</summary>
internal sealed class ScriptedWorker(AsyncDuplexStreamingCall<WorkerMessage, CoordinatorMessage> call, CancellationToken soon) : IDisposable
{
    public async Task GreetAsync(string id, params string[] properties)
    {
        var hello = new Hello { WorkerId = id, Slots = 2, Version = "test" };
        hello.Properties.AddRange(properties
            .Select(property => property.Split('='))
            .Select(pair => new Build.Bazel.Remote.Execution.V2.Platform.Types.Property { Name = pair[0], Value = pair[1] }));
        await SendAsync(new WorkerMessage { Hello = hello });
        Assert.That((await ReceiveAsync()).MessageCase, Is.EqualTo(CoordinatorMessage.MessageOneofCase.Welcome));
    }

    public Task SendAsync(WorkerMessage message) => call.RequestStream.WriteAsync(message, soon);

    /// <summary>The next message; it is the test's failure when there is none.</summary>
    public async Task<CoordinatorMessage> ReceiveAsync()
    {
        Assert.That(await call.ResponseStream.MoveNext(soon), "the coordinator ended the stream");
        return call.ResponseStream.Current;
    }

    public async Task<Lease> ReceiveLeaseAsync()
    {
        var message = await ReceiveAsync();
        Assert.That(message.MessageCase, Is.EqualTo(CoordinatorMessage.MessageOneofCase.Lease));
        return message.Lease;
    }

    public async Task ReceiveEndAsync() => Assert.That(await call.ResponseStream.MoveNext(soon), Is.False);

    public Task StartAsync(Lease lease) => SendAsync(new WorkerMessage { LeaseStarted = new LeaseStarted { Lease = lease.Lease_ } });

    /// <summary>Reports success with this result, and waits for the acknowledgement.</summary>
    public Task FinishAsync(Lease lease, ActionResult result) => FinishAsync(lease, new RpcStatus(), result);

    public async Task FinishAsync(Lease lease, RpcStatus status, ActionResult? result)
    {
        await SendAsync(new WorkerMessage { LeaseFinished = new LeaseFinished { Lease = lease.Lease_, Status = status, Result = result } });
        // What is queued next may be offered first.
        while (true)
        {
            var message = await ReceiveAsync();
            if (message.MessageCase == CoordinatorMessage.MessageOneofCase.FinishAcknowledged) return;
            Later.Enqueue(message);
        }
    }

    /// <summary>What came while an acknowledgement was awaited.</summary>
    public Queue<CoordinatorMessage> Later { get; } = new();

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

    public void Dispose() => call.Dispose();
}
